#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/sum.h>

#include "mgd/loss/feature.h"

namespace mgd {
namespace {

// 1 - cos between the student's aligned row and the teacher's, for each token; of maps, for each position
// with its channels as the row; of vectors, for each sample. Count: tokens, positions or samples. A row that
// is 0 has the cosine 0. Sanh et al., "DistilBERT", 2019, section 3: the cosine loss on the last hidden
// states.
class HiddenCosine final : public FeatureLoss {
 public:
  HiddenCosine(const LossEntry& entry, TapPair pair, const AlignedOptions& options)
      : FeatureLoss(std::move(pair), options) {
    RandomStream random = init_stream(entry, taps());
    block_ = std::make_unique<AlignBlock>(taps(), options, random);
  }

  Module* trainable() override { return block_->is_identity() ? nullptr : block_.get(); }
  double count(const CountInput& input) const override {
    return num_elements(input) / static_cast<double>(taps().teacher_shape[0]);
  }

  at::Tensor sum(const LossInput& input) override {
    return at::sum(1 - at::cosine_similarity(block_->align(student_map(input)), teacher_map(input), 1));
  }

  std::string describe() const override {
    return describe_taps() + "; " +
           describe_weight(true, taps().teacher_positions(), taps().rows() ? "token" : "positions");
  }

 private:
  std::unique_ptr<AlignBlock> block_;
};

}  // namespace

LossList make_cosine_losses(const LossEntry& entry) {
  return make_feature_losses<HiddenCosine, AlignedOptions>(entry, {"name"}, {.vectors = true, .rows = true});
}

}  // namespace mgd
