#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <algorithm>

#include "mgd/loss/feature.h"
#include "mgd/nn/conv_norm.h"

namespace mgd {
namespace {

struct ReviewOptions : FeatureOptions {
  ReviewOptions() { warmup_epochs = 20; }
};

// One stage: 1x1 convolution and norm to a common width; the deeper stage's result, each weighed by a map of
// its own; 3x3 convolution and norm to the teacher's channels.
class ReviewStage : public Module {
 public:
  ReviewStage(const TapPair& taps, std::int64_t width, bool deepest, RandomStream& random)
      : reduce_(make_child<Conv2d>(
            "reduce", Conv2dOptions{.in = taps.student_shape[0], .out = width, .kernel = 1}, random)),
        reduce_norm_(make_child<BatchNorm2d>("reduce_norm", width)),
        expand_(make_child<Conv2d>(
            "expand", Conv2dOptions{.in = width, .out = taps.teacher_shape[0], .kernel = 3, .padding = 1},
            random)),
        expand_norm_(make_child<BatchNorm2d>("expand_norm", taps.teacher_shape[0])) {
    if (!deepest)
      attention_ = &make_child<Conv2d>(
          "attention", Conv2dOptions{.in = 2 * width, .out = 2, .kernel = 1, .bias = true}, random);
  }

  // What the next stage gets, (B, width, Y, X); `deeper` undefined: this is the deepest.
  at::Tensor fuse(const at::Tensor& student, const at::Tensor& deeper, Forward& forward) {
    const at::Tensor own = conv_norm(reduce_, reduce_norm_, student, forward);
    if (attention_ == nullptr) return own;
    const at::Tensor up = at::upsample_nearest2d(deeper, {own.size(2), own.size(3)});
    const at::Tensor weights =
        at::sigmoid(attention_->forward(at::cat({own, up}, 1), forward));  // (B, 2, Y, X)
    return own * weights.narrow(1, 0, 1) + up * weights.narrow(1, 1, 1);
  }
  at::Tensor expand(const at::Tensor& fused, Forward& forward) {  // (B, width, Y, X) -> (B, Ct, Y, X)
    return at_least_float(conv_norm(expand_, expand_norm_, fused, forward));
  }

 private:
  Conv2d& reduce_;
  BatchNorm2d& reduce_norm_;
  Conv2d& expand_;
  BatchNorm2d& expand_norm_;
  Conv2d* attention_ = nullptr;
};

class ReviewBlock : public Module {
 public:
  ReviewBlock(const std::vector<TapPair>& taps, RandomStream& random) {
    const std::int64_t width = std::min<std::int64_t>(512, taps.back().student_shape[0]);
    for (std::size_t i = 0; i < taps.size(); ++i)
      stages_.push_back(&make_child<ReviewStage>("stages." + std::to_string(i), taps[i], width,
                                                 i + 1 == taps.size(), random));
    set_path("");
  }

  // The student's maps from shallow to deep; what is compared with the teacher's, in the same order.
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& student, Forward& forward) {
    std::vector<at::Tensor> made(student.size());
    at::Tensor fused;
    for (std::size_t i = student.size(); i-- > 0;) {
      fused = stages_[i]->fuse(student[i], fused, forward);
      made[i] = stages_[i]->expand(fused, forward);
    }
    return made;
  }

 private:
  std::vector<ReviewStage*> stages_;
};

// Mean squared error of the maps, and of their adaptive means of 4 x 4, 2 x 2 and 1 x 1 where these are
// smaller than the map, with weights 1, 1/2, 1/4, 1/8 divided by their sum. The mean is over a sample's
// elements; the sum over samples.
at::Tensor pyramid_error(const at::Tensor& made, const at::Tensor& teacher) {
  const auto error = [](const at::Tensor& a, const at::Tensor& b) {
    return at::sum(at::square(a - b)) / static_cast<double>(a.size(1) * a.size(2) * a.size(3));
  };
  at::Tensor total = error(made, teacher);
  double weight = 1, weights = 1;
  for (const std::int64_t level : {4, 2, 1}) {
    if (level >= made.size(2)) continue;
    weight /= 2;
    weights += weight;
    total = total + weight * error(at::adaptive_avg_pool2d(made, {level, level}),
                                   at::adaptive_avg_pool2d(teacher, {level, level}));
  }
  return total / weights;
}

// The student's stages, from the deepest up, each with what the deeper ones lead to, against the teacher's.
// Taps are named from shallow to deep; the authors take features before the activation, and the pooled vector
// as the last stage. Count: samples. Batch norm in the blocks sees a micro-batch, as that of the student
// does. Chen et al., "Distilling Knowledge via Knowledge Review", section 3.
class Review final : public NamedLoss {
 public:
  Review(const LossEntry& entry, std::vector<TapPair> taps, const ReviewOptions& options)
      : NamedLoss(entry, options), taps_(std::move(taps)), winograd_(entry.context.winograd) {
    RandomStream random(random_key(entry.context.seed, "loss/" + label()), 0, 0);
    block_ = std::make_unique<ReviewBlock>(taps_, random);
  }

  std::vector<std::string> student_taps() const override { return names(&TapPair::student); }
  std::vector<std::string> teacher_taps() const override { return names(&TapPair::teacher); }
  bool needs_teacher() const override { return true; }
  Module* trainable() override { return block_.get(); }
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }

  at::Tensor sum(const LossInput& input) override {
    const std::vector<at::Tensor> made = make(input, /*training=*/true);
    at::Tensor total;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const at::Tensor error = pyramid_error(made[i], teacher_map_of(taps_[i], input));
      total = total.defined() ? total + error : error;
    }
    return total.defined() ? total : at::sum(student_map_of(taps_.front(), input));
  }

  std::string describe() const override {
    std::string text;
    for (const TapPair& taps : taps_) text += taps_text(taps) + "; ";
    return text + fmt::format("weight {:g} per sample", weight());
  }

  Maps illustrate(const LossInput& input) override {
    const std::vector<at::Tensor> made = make(input, /*training=*/false);
    return {{"generated", made.front()}, {"teacher", teacher_map_of(taps_.front(), input)}};
  }

 private:
  std::vector<std::string> names(std::string TapPair::*side) const {
    std::vector<std::string> all;
    for (const TapPair& taps : taps_) all.push_back(taps.*side);
    return all;
  }

  // Nothing of no samples.
  std::vector<at::Tensor> make(const LossInput& input, bool training) {
    std::vector<at::Tensor> student;
    for (const TapPair& taps : taps_) student.push_back(student_map_of(taps, input));
    if (student.front().size(0) == 0) return {};
    Forward forward(training);
    forward.use_winograd(winograd_);
    return block_->forward(student, forward);
  }

  std::vector<TapPair> taps_;
  bool winograd_;
  std::unique_ptr<ReviewBlock> block_;
};

}  // namespace

LossList make_review_losses(const LossEntry& entry) {
  ReviewOptions options;
  LossList losses;
  if (!read_entry(entry, options)) return losses;
  losses.push_back(std::make_unique<Review>(entry, resolve_taps(entry, options, {.vectors = true}), options));
  return losses;
}

}  // namespace mgd
