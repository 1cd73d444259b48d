// Divergences against their formulas in double, by logits and by language heads in pieces.
#include "mgd/ops/divergence.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mgd/core/error.h"

namespace mgd {
namespace {

at::Tensor normal(at::IntArrayRef shape, double scale = 1) {
  return at::randn(shape, at::TensorOptions().dtype(at::kDouble)) * scale;
}

// Element by element, from the definition.
double formula(const at::Tensor& student, const at::Tensor& teacher, const DivergenceOptions& options) {
  const at::Tensor q = at::softmax(student / options.temperature, 1),
                   p = at::softmax(teacher / options.temperature, 1);
  double sum = 0;
  const auto term = [](double a, double b) { return a > 0 ? a * std::log(a / b) : 0.0; };
  for (std::int64_t i = 0; i < q.size(0); ++i)
    for (std::int64_t k = 0; k < q.size(1); ++k) {
      const double qk = q[i][k].item<double>(), pk = p[i][k].item<double>();
      const double m = options.beta * pk + (1 - options.beta) * qk;
      if (options.kind == Divergence::forward) sum += term(pk, qk);
      if (options.kind == Divergence::reverse) sum += term(qk, pk);
      if (options.kind == Divergence::jsd)
        sum += options.beta * term(pk, m) + (1 - options.beta) * term(qk, m);
    }
  return sum * options.temperature * options.temperature;
}

const std::vector<DivergenceOptions> kKinds = {{.temperature = 2},
                                               {.kind = Divergence::reverse, .temperature = 0.7},
                                               {.kind = Divergence::jsd, .temperature = 1.5, .beta = 0.3}};

TEST(DivergenceOf, IsTheFormula) {
  for (const DivergenceOptions& options : kKinds) {
    const at::Tensor student = normal({5, 7}, 2), teacher = normal({5, 7}, 2);
    EXPECT_NEAR(divergence(student, teacher, options).item<double>(), formula(student, teacher, options),
                1e-12);
    EXPECT_NEAR(divergence(student, student, options).item<double>(), 0, 1e-12);
  }
}

TEST(DivergenceOf, GradientIsThatOfFiniteDifferences) {
  for (const DivergenceOptions& options : kKinds) {
    at::Tensor student = normal({2, 4});
    const at::Tensor teacher = normal({2, 4});
    student.set_requires_grad(true);
    divergence(student, teacher, options).backward();
    for (std::int64_t k = 0; k < 4; ++k) {
      constexpr double kStep = 1e-5;
      at::Tensor more = student.detach().clone(), less = more.clone();
      more[1][k] += kStep, less[1][k] -= kStep;
      const double slope = (formula(more, teacher, options) - formula(less, teacher, options)) / (2 * kStep);
      EXPECT_NEAR(student.grad()[1][k].item<double>(), slope, 1e-8);
    }
  }
}

// A class that one side calls impossible is no NaN.
TEST(DivergenceOf, SureAnswersStayFinite) {
  at::Tensor student = normal({1, 3}), teacher = normal({1, 3});
  student[0][0] = 900, teacher[0][1] = 900;
  for (DivergenceOptions options : kKinds) {
    EXPECT_TRUE(std::isfinite(divergence(student, teacher, options).item<double>()));
  }
}

class HeadDivergenceOf : public testing::TestWithParam<std::size_t> {};

TEST_P(HeadDivergenceOf, InPiecesIsTheWhole) {
  const DivergenceOptions& options = kKinds[GetParam()];
  const LmHead teacher{.hidden = normal({37, 6}), .weight = normal({11, 6}), .bias = normal({11})};
  LmHead student{.hidden = normal({37, 4}), .weight = normal({11, 4}), .bias = normal({11})};
  std::vector<at::Tensor> whole;
  for (const std::int64_t max_logits : {std::int64_t{1} << 20, std::int64_t{16 * 11}}) {
    for (at::Tensor* part : {&student.hidden, &student.weight, &student.bias}) {
      part->set_requires_grad(true);
      part->mutable_grad().reset();
    }
    const at::Tensor pieces = head_divergence(student, teacher, options, max_logits);
    (pieces * 0.5).backward();
    const std::vector<at::Tensor> got = {pieces.detach(), student.hidden.grad().clone(),
                                         student.weight.grad().clone(), student.bias.grad().clone()};
    for (at::Tensor* part : {&student.hidden, &student.weight, &student.bias}) part->mutable_grad().reset();
    const at::Tensor logits = at::linear(student.hidden, student.weight, student.bias);
    const at::Tensor given = at::linear(teacher.hidden, teacher.weight, teacher.bias);
    const at::Tensor plain = divergence(logits, given, options);
    (plain * 0.5).backward();
    EXPECT_TRUE(at::allclose(got[0], plain, 1e-12));
    EXPECT_TRUE(at::allclose(got[1], student.hidden.grad(), 1e-11, 1e-12));
    EXPECT_TRUE(at::allclose(got[2], student.weight.grad(), 1e-11, 1e-12));
    EXPECT_TRUE(at::allclose(got[3], student.bias.grad(), 1e-11, 1e-12));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, HeadDivergenceOf, testing::Range<std::size_t>(0, 3));

TEST(HeadDivergence, NoTargetGivesZero) {
  const LmHead head{.hidden = normal({0, 6}), .weight = normal({11, 6})};
  EXPECT_EQ(head_divergence(head, head, {}).item<double>(), 0);
}

TEST(HeadDivergence, OtherVocabulariesAreRefused) {
  const LmHead a{.hidden = normal({3, 6}), .weight = normal({11, 6})},
      b{.hidden = normal({3, 6}), .weight = normal({12, 6})};
  EXPECT_THROW(head_divergence(a, b, {}), Error);
}

}  // namespace
}  // namespace mgd
