#include "mgd/loss/logits.h"
#include "mgd/ops/softmax_kl.h"

namespace mgd {
namespace {

struct KdOptions : LogitOptions {
  KdOptions() { weight = 0.9; }  // with cross-entropy at 0.1
};

// T^2 KL(softmax(t / T) || softmax(s / T)), count: samples. Hinton et al., "Distilling the Knowledge in a
// Neural Network", section 2.
class KnowledgeDistillation final : public LogitLoss {
 public:
  KnowledgeDistillation(const LossEntry& entry, const KdOptions& options) : LogitLoss(entry, options) {}

  at::Tensor sum(const LossInput& input) override {
    // The divergence of standardised logits at temperature 2 is small, and T^2 magnifies its rounding.
    const LogitPair pair = standardises() ? exact_logits(input) : logits(input);
    const at::Tensor divergence = softmax_kl(pair.student, pair.teacher, temperature());
    return standardises() ? as_given(divergence, input) : divergence;
  }

  std::string describe() const override { return describe_logits(); }
};

}  // namespace

LossList make_kd_losses(const LossEntry& entry) {
  return make_logit_loss<KnowledgeDistillation, KdOptions>(entry, 9);
}

}  // namespace mgd
