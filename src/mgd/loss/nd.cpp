#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include "mgd/loss/feature.h"
#include "mgd/loss/logits.h"

namespace mgd {
namespace {

struct DirectionOptions : FeatureOptions {
  std::string align = "auto";
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    visit_taps(v);
    v.option("align", align,
             {.help = "linear layer to the teacher's width: where they differ, or always",
              .choices = {"auto", "always"}});
  }
};

at::Tensor row_norms(const at::Tensor& rows) {  // (N, D) -> (N)
  return at::linalg_vector_norm(rows, 2, at::IntArrayRef{1});
}

// The projection, and the directions of the classes, which a checkpoint keeps.
class DirectionBlock : public Module {
 public:
  DirectionBlock(const TapPair& taps, std::int64_t num_classes, const std::string& align,
                 RandomStream& random)
      : directions_(add_buffer("directions", at::zeros({num_classes, taps.teacher_shape[0]}, at::kFloat))) {
    if (taps.student_shape[0] != taps.teacher_shape[0] || align == "always")
      align_ = &make_child<Linear>("align", taps.student_shape[0], taps.teacher_shape[0], random);
  }

  at::Tensor align(const at::Tensor& student) {  // (B, Ds) -> (B, Dt)
    if (align_ == nullptr) return student;
    Forward forward(/*training=*/true);
    return at_least_float(align_->forward(student, forward));
  }
  at::Tensor& directions() { return directions_; }

 private:
  at::Tensor& directions_;  // (K, Dt): unit vectors; 0 of a class that no sample has
  Linear* align_ = nullptr;
};

// 1 - <e^s, c_y> / max(|e^s|, |e^t|): the student's embedding shall point where its class lies and be as long
// as the teacher's. c_y is the unit vector along the mean of the teacher's embeddings of the class over all
// training samples. Count: samples. Embeddings are vectors, or means of maps over positions. Wang et al.,
// "Improving Knowledge Distillation via Regularizing Feature Norm and Direction".
class NormAndDirection final : public FeatureLoss {
 public:
  NormAndDirection(const LossEntry& entry, TapPair pair, const DirectionOptions& options)
      : FeatureLoss(std::move(pair), options) {
    if (entry.context.num_classes < 1) entry.refuse("needs classes, and the data has none");
    RandomStream random = init_stream(entry, taps());
    block_ = std::make_unique<DirectionBlock>(taps(), entry.context.num_classes, options.align, random);
  }

  bool reads_targets() const override { return true; }
  Module* trainable() override { return block_.get(); }
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }

  bool wants_survey() const override { return true; }
  void survey(const LossInput& input) override {
    const at::Tensor e = teacher_embedding(taps(), input).to(at::kDouble);
    if (!sums_.defined()) sums_ = at::zeros(block_->directions().sizes(), e.options());
    sums_ = at::index_add(sums_, 0, classes(input, e), e);
  }
  std::string end_survey() override {
    if (!sums_.defined()) return {};
    const at::NoGradGuard no_grad;
    // The direction of a sum is that of a mean.
    block_->directions().copy_(sums_ / at::clamp_min(row_norms(sums_), kSmallest).unsqueeze(1));
    sums_.reset();
    return {};
  }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor student = block_->align(student_embedding(taps(), input));
    const at::Tensor teacher = teacher_embedding(taps(), input);
    const at::Tensor of_class = at::index_select(block_->directions(), 0, classes(input, student));
    const at::Tensor longest = at::clamp_min(at::maximum(row_norms(student), row_norms(teacher)), kSmallest);
    return at::sum(1 - at::sum(student * of_class, {1}) / longest);
  }

  std::string describe() const override {
    return taps_text(taps(), /*as_it_is=*/true) + fmt::format("; weight {:g} per sample", weight());
  }

 private:
  at::Tensor classes(const LossInput& input, const at::Tensor& embedding) const {  // (B)
    return classes_of(input.batch, embedding.size(0), block_->directions().size(0), label());
  }

  static constexpr double kSmallest = 1e-12;
  std::unique_ptr<DirectionBlock> block_;
  at::Tensor sums_;  // (K, Dt) double, while a survey lasts
};

}  // namespace

LossList make_nd_losses(const LossEntry& entry) {
  return make_feature_losses<NormAndDirection, DirectionOptions>(entry, {"name"},
                                                                 {.vectors = true, .any_size = true});
}

}  // namespace mgd
