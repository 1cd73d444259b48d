#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"
#include "mgd/eval/classify.h"
#include "mgd/model/image_model.h"

namespace mgd {
namespace {

constexpr std::int64_t kClasses = 5;

// Sample i is a grey picture of level 10 (i mod 5); its label is i mod 5, but sample 7 is labelled wrong.
class LevelSource : public ImageSource {
 public:
  explicit LevelSource(std::int64_t size, std::int64_t broken = -1) : size_(size), broken_(broken) {}
  std::int64_t size() const override { return size_; }
  std::int64_t channels() const override { return 1; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::int64_t label(std::int64_t index) const override { return index == 7 ? 0 : index % kClasses; }
  std::string name(std::int64_t index) const override { return "row " + std::to_string(index); }
  Image image(std::int64_t index) const override {
    if (index == broken_) throw Error(ExitCode::bad_data, "truncated");
    const auto level = static_cast<std::uint8_t>(10 * (index % kClasses));
    return {.height = 4, .width = 4, .channels = 1, .pixels = std::vector<std::uint8_t>(16, level)};
  }
  std::string fingerprint() const override { return "levels"; }

 private:
  std::int64_t size_, broken_;
  std::vector<std::string> names_ = {"a", "b", "c", "d", "e"};
};

// Reads the level back: logit k = -(level - k)^2.
class LevelModel : public ImageModel {
 public:
  LevelModel() : ImageModel({.architecture = "level", .num_classes = kClasses, .in_channels = 1}) {}
  at::Tensor forward(at::Tensor input, Forward& forward) override {
    EXPECT_FALSE(forward.training());
    EXPECT_FALSE(at::GradMode::is_enabled());
    const at::Tensor level = at::mean(input, {1, 2, 3}).mul(25.5).unsqueeze(1);
    return at::sub(level, at::arange(kClasses, at::kFloat).unsqueeze(0)).square().neg();
  }
  std::string default_tap() const override { return "input"; }
};

EvalOptions options() {
  EvalOptions o;
  o.batch_size = 4;
  o.mean = {0.0};
  o.std = {1.0};
  return o;
}

TEST(Evaluate, AnswersEverySampleInOrderWithAnIncompleteLastBatch) {
  LevelModel model;
  const LevelSource source(10);
  const at::Tensor logits = answer_all(model, source, options()).logits;
  ASSERT_EQ(logits.sizes(), (std::vector<std::int64_t>{10, kClasses}));
  for (std::int64_t i = 0; i < 10; ++i) EXPECT_EQ(logits[i].argmax().item().toLong(), i % kClasses) << i;
  const ClassifyMetrics metrics = evaluate_classifier(model, source, options());
  EXPECT_EQ(metrics.samples, 10);
  EXPECT_DOUBLE_EQ(metrics.accuracy, 0.9);
  EXPECT_EQ(metrics.confusion[0][2], 1);
  EXPECT_GT(metrics.throughput, 0);
  EXPECT_GT(metrics.seconds, 0);
}

// A neighbour in a broken sample's place would count twice: here a mistake.
TEST(Evaluate, ABrokenSampleIsLeftOutAndNamed) {
  LevelModel model;
  const LevelSource source(60, 6);
  const ClassifyMetrics metrics = evaluate_classifier(model, source, options());
  EXPECT_EQ(metrics.samples, 59);
  EXPECT_DOUBLE_EQ(metrics.accuracy, 58.0 / 59);
  EXPECT_EQ(metrics.corrupt, (std::map<std::string, std::string>{{"row 6", "truncated"}}));
  EXPECT_EQ(metrics.per_class[1].support, 11);
  const Answers answers = answer_all(model, source, options());
  EXPECT_EQ(answers.samples[5], 5);
  EXPECT_EQ(answers.samples[6], 7);
  EXPECT_EQ(answers.labels[6], 0);
  EXPECT_EQ(answers.logits.size(0), 59);
  // A whole batch of them, at the end.
  EXPECT_EQ(evaluate_classifier(model, LevelSource(9, 8), options()).samples, 8);
}

TEST(Evaluate, NoSamplesGiveNoRows) {
  LevelModel model;
  EXPECT_EQ(answer_all(model, LevelSource(0), options()).logits.sizes(),
            (std::vector<std::int64_t>{0, kClasses}));
  EXPECT_EQ(evaluate_classifier(model, LevelSource(0), options()).samples, 0);
}

TEST(Evaluate, UnknownPrecisionIsNamed) {
  LevelModel model;
  EvalOptions o = options();
  o.precision = "fp16";
  try {
    answer_all(model, LevelSource(3), o);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("got 'fp16', expected fp32 or bf16"), std::string::npos) << e.what();
  }
}

TEST(Latency, CountsItsRuns) {
  LevelModel model;
  Batch one;
  one.input = at::zeros({1, model.spec().in_channels, 4, 4}, at::kFloat);
  const Latency latency = measure_latency(model, one, 9);
  EXPECT_EQ(latency.runs, 9);
  EXPECT_GT(latency.median_ms, 0);
  EXPECT_GE(latency.p90_ms, latency.median_ms);
  EXPECT_EQ(measure_latency(model, one, 0).runs, 0);
}

}  // namespace
}  // namespace mgd
