#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logsumexp.h>

#include "mgd/loss/logits.h"
#include "mgd/ops/softmax_kl.h"

namespace mgd {
namespace {

struct DecoupledOptions : LogitOptions {
  DecoupledOptions() { warmup_epochs = 20; }
  double alpha = 1, beta = 8;
  void visit(OptionVisitor& v) {
    LogitOptions::visit(v);
    v.option("alpha", alpha, {.help = "factor of the target's probability", .min = 0, .max = 1e6});
    v.option("beta", beta, {.help = "factor of the other classes among themselves", .min = 0, .max = 1e6});
  }
};

// ln of (p_y, 1 - p_y) up to a constant of the row: the target's logit, and all others as one. (B, K) -> (B,
// 2)
at::Tensor target_or_not(const at::Tensor& logits, const at::Tensor& others, const at::Tensor& target) {
  return at::cat({at::gather(logits, 1, target.unsqueeze(1)), at::logsumexp(others, {1}, /*keepdim=*/true)},
                 1);
}

// T^2 (alpha KL(b^t || b^s) + beta KL(p^t || p^s)), where b = (p_y, 1 - p_y) at temperature T and p are the
// probabilities of the other classes among themselves; count: samples. Zhao et al., "Decoupled Knowledge
// Distillation", section 3. KL of kd is the same with alpha = 1 and beta = 1 - p_y of the teacher.
class Decoupled final : public LogitLoss {
 public:
  Decoupled(const LossEntry& entry, const DecoupledOptions& options)
      : LogitLoss(entry, options), alpha_(options.alpha), beta_(options.beta) {
    entry.require_a_factor({"alpha", alpha_}, {"beta", beta_});
  }

  bool reads_targets() const override { return true; }

  at::Tensor sum(const LossInput& input) override {
    const LogitPair pair = exact_logits(input);
    const at::Tensor target = targets(input);
    const double t = temperature();
    const at::Tensor student = pair.student / t, teacher = pair.teacher / t;
    const at::Tensor student_rest = without_target(student, target),
                     teacher_rest = without_target(teacher, target);
    const at::Tensor of_target = softmax_kl(target_or_not(student, student_rest, target),
                                            target_or_not(teacher, teacher_rest, target), 1);
    const at::Tensor of_others = softmax_kl(student_rest, teacher_rest, 1);
    return as_given(t * t * (alpha_ * of_target + beta_ * of_others), input);
  }

  std::string describe() const override {
    return describe_logits() + fmt::format(", alpha {:g}, beta {:g}", alpha_, beta_);
  }

 private:
  double alpha_, beta_;
};

}  // namespace

LossList make_dkd_losses(const LossEntry& entry) {
  return make_logit_loss<Decoupled, DecoupledOptions>(entry, 9);
}

}  // namespace mgd
