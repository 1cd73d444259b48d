#include <ATen/TensorOperators.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>

#include "mgd/loss/feature.h"

namespace mgd {
namespace {

// Squared error between the aligned map and the teacher's; count: elements. Romero et al., "FitNets",
// equation (3), there without the mean.
class Mimic final : public AlignedLoss {
 public:
  Mimic(const LossEntry& entry, TapPair pair, const TargetOptions& options)
      : AlignedLoss(entry, std::move(pair), options) {}

  double count(const CountInput& input) const override { return num_elements(input); }

  at::Tensor sum(const LossInput& input) override {
    return at::sum(at::square(aligned_map(input) - teacher_map(input)));
  }

  std::string describe() const override {
    return describe_taps() + "; " + describe_weight(true, taps().teacher_elements(), "elements");
  }

  Maps illustrate(const LossInput& input) override {
    if (taps().rows()) return {};
    return {{"aligned", aligned_map(input)}, {"teacher", teacher_map(input)}};
  }
};

}  // namespace

LossList make_mimic_losses(const LossEntry& entry) {
  return make_feature_losses<Mimic, TargetOptions>(entry, {"name"}, {.rows = true});
}

}  // namespace mgd
