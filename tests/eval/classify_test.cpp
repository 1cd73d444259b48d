#include "mgd/eval/classify.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {
namespace {

at::Tensor to_tensor(const std::vector<std::vector<double>>& rows) {
  const auto n = static_cast<std::int64_t>(rows.size()), k = static_cast<std::int64_t>(rows.at(0).size());
  at::Tensor logits = at::empty({n, k}, at::kFloat);
  auto* out = logits.mutable_data_ptr<float>();
  for (const auto& row : rows) {
    for (double v : row) *out++ = static_cast<float>(v);
  }
  return logits;
}

// The expected numbers come from scikit-learn and numpy: scripts/fixtures/make_metrics.py.
TEST(ClassifyMetrics, AgreesWithScikitLearn) {
  const auto cases =
      nlohmann::json::parse(read_file(fs::path(MGD_SOURCE_DIR "/tests/eval/fixtures") / "metrics.json"));
  ASSERT_EQ(cases.size(), 4U);
  for (const auto& c : cases) {
    const auto m = classify_metrics(to_tensor(c["logits"].get<std::vector<std::vector<double>>>()),
                                    c["labels"].get<std::vector<std::int64_t>>());
    EXPECT_EQ(m.samples, static_cast<std::int64_t>(c["labels"].size()));
    EXPECT_NEAR(m.accuracy, c["accuracy"].get<double>(), 1e-12);
    ASSERT_EQ(m.top5.has_value(), m.per_class.size() > 5);
    if (m.top5) {
      EXPECT_NEAR(*m.top5, c["top5"].get<double>(), 1e-12);
    }
    EXPECT_NEAR(m.loss, c["loss"].get<double>(), 1e-9);
    EXPECT_NEAR(m.calibration_error, c["calibration_error"].get<double>(), 1e-9);
    EXPECT_EQ(m.confusion, c["confusion"].get<std::vector<std::vector<std::int64_t>>>());
    ASSERT_EQ(m.per_class.size(), c["f1"].size());
    for (std::size_t k = 0; k < m.per_class.size(); ++k) {
      EXPECT_EQ(m.per_class[k].support, c["support"][k].get<std::int64_t>());
      EXPECT_NEAR(m.per_class[k].precision, c["precision"][k].get<double>(), 1e-12);
      EXPECT_NEAR(m.per_class[k].recall, c["recall"][k].get<double>(), 1e-12);
      EXPECT_NEAR(m.per_class[k].f1, c["f1"][k].get<double>(), 1e-12);
    }
  }
}

TEST(ClassifyMetrics, NoSamplesGiveZeros) {
  const auto m = classify_metrics(at::zeros({0, 3}, at::kFloat), {});
  EXPECT_EQ(m.samples, 0);
  EXPECT_EQ(m.accuracy, 0);
  EXPECT_EQ(m.loss, 0);
  EXPECT_EQ(m.confusion.size(), 3U);
}

TEST(ClassifyMetrics, TiesGoToTheFirstClassAndTop5FollowsTheSameOrder) {
  const auto m = classify_metrics(at::zeros({8, 8}, at::kFloat), {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_DOUBLE_EQ(m.accuracy, 1.0 / 8);
  EXPECT_DOUBLE_EQ(m.top5.value(), 5.0 / 8);
  EXPECT_NEAR(m.loss, std::log(8.0), 1e-12);
  EXPECT_NEAR(m.calibration_error, 0, 1e-12);  // confidence 1/8, accuracy 1/8
}

TEST(ClassifyMetrics, Top5OfFiveClassesIsNoFigure) {
  EXPECT_FALSE(classify_metrics(at::zeros({2, 5}, at::kFloat), {0, 1}).top5);
  EXPECT_EQ(classify_metrics(at::zeros({2, 6}, at::kFloat), {0, 5}).top5, 0.5);
}

TEST(ClassifyMetrics, HugeLogitsStayFinite) {
  const auto m = classify_metrics(to_tensor({{3e38, -3e38}, {-3e38, 3e38}}), {0, 1});
  EXPECT_EQ(m.loss, 0);
  EXPECT_EQ(m.accuracy, 1);
}

TEST(ClassifyMetrics, NotANumberIsSeenInTheLoss) {
  const auto m = classify_metrics(
      at::full({2, 3}, std::numeric_limits<double>::quiet_NaN(), at::TensorOptions(at::kFloat)), {1, 2});
  EXPECT_TRUE(std::isnan(m.loss));
  EXPECT_TRUE(std::isnan(m.calibration_error));
  EXPECT_EQ(m.accuracy, 0);
}

TEST(ClassifyMetrics, BadLabelsAreNamed) {
  try {
    classify_metrics(at::zeros({2, 3}, at::kFloat), {0, 7});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_data);
    EXPECT_STREQ(e.what(), "metrics: label of sample 1: got 7, expected 0 ... 2; the model has 3 classes");
  }
  EXPECT_THROW(classify_metrics(at::zeros({2, 3}, at::kFloat), {0}), Error);
  EXPECT_THROW(classify_metrics(at::zeros({1, 3}, at::kFloat), {-1}), Error);
}

}  // namespace
}  // namespace mgd
