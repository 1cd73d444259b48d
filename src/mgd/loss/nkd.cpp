#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>

#include "mgd/loss/logits.h"

namespace mgd {
namespace {

struct NormalizedOptions : LogitOptions {
  NormalizedOptions() { temperature = 1; }
  double gamma = 1.5;
  void visit(OptionVisitor& v) {
    LogitOptions::visit(v);
    v.option("gamma", gamma, {.help = "factor of the other classes among themselves", .min = 0, .max = 1e6});
  }
};

// - p^t_y ln p^s_y - gamma T^2 sum over k != y of q^t_k ln q^s_k, count: samples. The first part has no
// temperature; q are the probabilities at temperature T of the other classes among themselves. Both parts are
// cross-entropies: they do not end at 0. Yang et al., "From Knowledge Distillation to Self-Knowledge
// Distillation: A Unified Approach with Normalized Loss and Customized Soft Labels".
class Normalized final : public LogitLoss {
 public:
  Normalized(const LossEntry& entry, const NormalizedOptions& options)
      : LogitLoss(entry, options), gamma_(options.gamma) {}

  bool reads_targets() const override { return true; }

  at::Tensor sum(const LossInput& input) override {
    const LogitPair pair = exact_logits(input);
    const at::Tensor target = targets(input), column = target.unsqueeze(1);
    const double t = temperature();
    const at::Tensor of_target = at::sum(at::exp(at::gather(at::log_softmax(pair.teacher, 1), 1, column)) *
                                         at::gather(at::log_softmax(pair.student, 1), 1, column));
    const at::Tensor others = at::sum(at::softmax(without_target(pair.teacher, target) / t, 1) *
                                      at::log_softmax(without_target(pair.student, target) / t, 1));
    return as_given(-of_target - gamma_ * t * t * others, input);
  }

  std::string describe() const override { return describe_logits() + fmt::format(", gamma {:g}", gamma_); }

 private:
  double gamma_;
};

}  // namespace

LossList make_nkd_losses(const LossEntry& entry) {
  return make_logit_loss<Normalized, NormalizedOptions>(entry, 1);
}

}  // namespace mgd
