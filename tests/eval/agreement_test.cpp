// Agreement of two models, against numbers worked out by hand and what must not matter.
#include "mgd/eval/agreement.h"

#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mgd/core/error.h"

namespace mgd {
namespace {

at::Tensor rows_of(std::vector<double> values, std::int64_t width) {
  return at::tensor(values, at::kDouble).view({-1, width});
}

TEST(FeatureSimilarity, IsTheFormula) {
  // Centred: (-1, 0, 1) and (-1, -1, 2): (x . y)^2 / (x . x  y . y) = 9 / 12.
  EXPECT_NEAR(feature_similarity(rows_of({0, 1, 2}, 1), rows_of({5, 5, 8}, 1)), 0.75, 1e-12);
  EXPECT_TRUE(std::isnan(feature_similarity(rows_of({1, 1, 1}, 1), rows_of({5, 5, 8}, 1))));
  EXPECT_THROW(feature_similarity(rows_of({1, 2}, 1), rows_of({1, 2, 3}, 1)), Error);
  EXPECT_THROW(feature_similarity(rows_of({1}, 1), rows_of({1}, 1)), Error);
}

TEST(FeatureSimilarity, DoesNotSeeTurningMovingAndScaling) {
  const at::Tensor x = at::randn({40, 6}, at::kDouble);
  const at::Tensor turn = std::get<0>(at::linalg_qr(at::randn({6, 6}, at::kDouble)));
  EXPECT_NEAR(feature_similarity(x, at::mm(x, turn) * 3 + 7), 1, 1e-10);
  const at::Tensor other = at::randn({40, 9}, at::kDouble);
  EXPECT_NEAR(feature_similarity(x, other), feature_similarity(other, x), 1e-12);
  EXPECT_LT(feature_similarity(x, other), 0.7);
}

TEST(Agreement, IsOfSamplesThatBothCouldRead) {
  const double third = std::log(3.0);
  const Answers student{.logits = rows_of({0, 1, 1, 0, 0, 0}, 2), .samples = {0, 2, 3}};
  const Answers teacher{.logits = rows_of({1, 0, third, 0, 0, 1}, 2), .samples = {2, 3, 4}};
  const Figures figures = agreement(student, teacher, true);
  // Sample 2: equal. Sample 3: the student cannot tell, the teacher has 3/4 and 1/4.
  EXPECT_EQ(figure(figures, "agreement"), 1);
  const double kl = 0.75 * std::log(0.75 / 0.5) + 0.25 * std::log(0.25 / 0.5);
  EXPECT_NEAR(figure(figures, "divergence"), kl / 2, 1e-12);
  EXPECT_TRUE(std::isnan(figure(figures, "feature_similarity"))) << "nobody kept features";
  EXPECT_TRUE(agreement(student, teacher, false).empty());
}

TEST(Agreement, OfOtherClassesIsRefused) {
  const Answers two{.logits = rows_of({0, 1}, 2), .samples = {0}};
  const Answers three{.logits = rows_of({0, 1, 2}, 3), .samples = {0}};
  EXPECT_THROW(agreement(two, three, true), Error);
}

}  // namespace
}  // namespace mgd
