#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/sum.h>

#include "mgd/loss/feature.h"

namespace mgd {
namespace {

struct CosineOptions : FeatureOptions {
  std::string align = "auto";
  void visit(OptionVisitor& v) {
    FeatureOptions::visit(v);
    v.option("align", align,
             {.help = "linear map of each row to the teacher's width: where widths differ, or always",
              .choices = {"auto", "always"}});
  }
  AlignedOptions aligned() const {
    AlignedOptions options;
    options.align = align;
    return options;
  }
};

// 1 - cos between the student's aligned row and the teacher's, for each token; of maps, for each position
// with its channels as the row. Count: tokens, or positions. A row that is 0 has the cosine 0. Sanh et al.,
// "DistilBERT", 2019, section 3: the cosine loss on the last hidden states.
class HiddenCosine final : public FeatureLoss {
 public:
  HiddenCosine(const LossEntry& entry, TapPair pair, const CosineOptions& options)
      : FeatureLoss(std::move(pair), options) {
    RandomStream random = init_stream(entry, taps());
    block_ = std::make_unique<AlignBlock>(taps(), options.aligned(), random);
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
  return make_feature_losses<HiddenCosine, CosineOptions>(entry, {"name"}, {.rows = true});
}

}  // namespace mgd
