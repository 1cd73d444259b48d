#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>

#include "mgd/loss/feature.h"

namespace mgd {
namespace {

struct AttentionTransferOptions : FeatureOptions {
  AttentionTransferOptions() { weight = 1000; }
};

// Where a network looks: the sum of squares over channels, as a vector over positions of L2 norm 1.
at::Tensor attention(const at::Tensor& map) {  // (B, C, Y, X) -> (B, Y*X)
  const at::Tensor energy = at::sum(at::square(map), {1}).flatten(1);
  // The bound of torch.nn.functional.normalize: a map of zeros stays zeros.
  const at::Tensor norm =
      at::clamp_min(at::linalg_vector_norm(energy, 2, at::IntArrayRef{1}, /*keepdim=*/true), 1e-12);
  return energy / norm;
}

// Squared distance of the two attention maps. The published weight 1000 (beta of the authors' code) stands on
// the mean over samples *and positions*, so these are what is counted. Zagoruyko and Komodakis, "Paying More
// Attention to Attention", equation (2) with p = 2. Channels may differ: nothing is aligned.
class AttentionTransfer final : public FeatureLoss {
 public:
  AttentionTransfer(const LossEntry&, TapPair taps, const AttentionTransferOptions& options)
      : FeatureLoss(std::move(taps), options) {}

  double count(const CountInput& input) const override {
    return static_cast<double>(input.batch_size) * taps().teacher_positions();
  }

  at::Tensor sum(const LossInput& input) override {
    return at::sum(at::square(attention(student_map(input)) - attention(teacher_map(input))));
  }

  std::string describe() const override {
    return describe_taps() + "; " + describe_weight(true, taps().teacher_positions(), "positions");
  }

  Maps illustrate(const LossInput& input) override {
    const std::int64_t height = taps().teacher_shape[1], width = taps().teacher_shape[2];
    return {{"student", attention(student_map(input)).view({-1, 1, height, width})},
            {"teacher", attention(teacher_map(input)).view({-1, 1, height, width})}};
  }
};

}  // namespace

LossList make_at_losses(const LossEntry& entry) {
  return make_feature_losses<AttentionTransfer, AttentionTransferOptions>(entry);
}

}  // namespace mgd
