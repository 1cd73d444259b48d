#include <ATen/TensorOperators.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sum.h>

#include "mgd/core/error.h"
#include "mgd/loss/logits.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/masked_cross_entropy.h"

namespace mgd {
namespace {

struct CrossEntropyOptions : LossOptions {
  double label_smoothing = 0;
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option("label_smoothing", label_smoothing,
             {.help = "share of the target spread evenly over all classes", .min = 0, .max = 1});
  }
};

// - sum over classes of q log softmax(s), with q = (1 - e) target + e / K; the target is one class, or the
// batch's soft target where it has one. Language models: the same over the vocabulary, at the target rows of
// their head. Count: targets. Szegedy et al., "Rethinking the Inception Architecture", section 7.
class CrossEntropy final : public NamedLoss {
 public:
  CrossEntropy(const LossEntry& entry, const CrossEntropyOptions& options)
      : NamedLoss(entry, options), smoothing_(options.label_smoothing) {}

  bool reads_targets() const override { return true; }
  double count(const CountInput& input) const override { return static_cast<double>(input.num_targets); }

  at::Tensor sum(const LossInput& input) override {
    if (input.student.head.defined())
      return masked_cross_entropy(input.student.head, input.batch.target, {.label_smoothing = smoothing_});
    check(input);
    const at::Tensor log_probs = at::log_softmax(at_least_float(input.student.logits), 1);  // (B, K)
    const Batch& batch = input.batch;
    const at::Tensor likelihood = batch.target_probs.defined()
                                      ? at::sum(log_probs * batch.target_probs.to(log_probs.scalar_type()))
                                      : at::sum(at::gather(log_probs, 1, batch.target.unsqueeze(1)));
    if (smoothing_ == 0) return -likelihood;
    // q may sum to less than 1 in a soft target only by rounding, so e / K on every class is right for both
    // kinds.
    return -(1 - smoothing_) * likelihood - smoothing_ * at::sum(at::mean(log_probs, 1));
  }

  std::string describe() const override {
    return fmt::format("weight {:g} per target, label smoothing {:g}", weight(), smoothing_);
  }

 private:
  void check(const LossInput& input) const {
    const at::Tensor &logits = input.student.logits, &soft = input.batch.target_probs,
                     &hard = input.batch.target;
    const bool real = is_real(logits, 2);
    const bool fits =
        real && (soft.defined() ? soft.sizes() == logits.sizes()
                                : hard.defined() && hard.dim() == 1 && hard.size(0) == logits.size(0) &&
                                      hard.scalar_type() == at::kLong);
    if (!fits)
      fail(ExitCode::usage,
           "losses.{}: got logits {}, target {}, target_probs {}; expected numbers (B, K), and int64 (B) or "
           "(B, K)",
           label(), outline_of(logits), outline_of(hard), outline_of(soft));
    if (!soft.defined()) check_class_range(hard, logits.size(1), label());
  }

  double smoothing_;
};

}  // namespace

LossList make_cross_entropy_losses(const LossEntry& entry) {
  return make_one_loss<CrossEntropy, CrossEntropyOptions>(entry);
}

}  // namespace mgd
