// Divergences against their formulas in double, by logits and by language heads in pieces.
#include "mgd/ops/divergence.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/index_fill.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
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

// The divergence of (n, k + 1) bins, written down.
at::Tensor of_bins(const at::Tensor& p, const at::Tensor& q, const DivergenceOptions& options) {
  const auto kl = [](const at::Tensor& a, const at::Tensor& b) {
    return at::sum(a * (at::log(a) - at::log(b)));
  };
  const at::Tensor m = options.beta * p + (1 - options.beta) * q;
  const at::Tensor sum = options.kind == Divergence::forward ? kl(p, q)
                         : options.kind == Divergence::reverse
                             ? kl(q, p)
                             : options.beta * kl(p, m) + (1 - options.beta) * kl(q, m);
  return sum * (options.temperature * options.temperature);
}

at::Tensor binned(const at::Tensor& p, const at::Tensor& ids) {
  return at::cat({at::gather(p, 1, ids), at::sum(p.scatter(1, ids, 0.0), {1}, /*keepdim=*/true)}, 1);
}

class TopScoresOf : public testing::TestWithParam<Divergence> {};

TEST_P(TopScoresOf, AreComparedInBinsOfWhichTheLastHoldsTheRest) {
  const DivergenceOptions options{.kind = GetParam(), .temperature = 1.5, .beta = 0.3};
  const LmHead teacher{.hidden = normal({7, 6}), .weight = normal({11, 6}), .bias = normal({11})};
  LmHead student{.hidden = normal({7, 5}), .weight = normal({11, 5}), .bias = normal({11})};
  const auto softmax_of = [&](const LmHead& head) {
    return at::softmax(at::linear(head.hidden, head.weight, head.bias) / options.temperature, 1);
  };
  double before = 0;
  for (const std::int64_t k : {1, 4, 10, 11}) {
    const TopScores top = top_scores(teacher, k, options.temperature, 20);
    for (at::Tensor* part : {&student.hidden, &student.weight, &student.bias}) {
      part->set_requires_grad(true);
      part->mutable_grad().reset();
    }
    const at::Tensor sum = head_divergence(student, top, options, 20);
    sum.backward();
    const at::Tensor hidden = student.hidden.grad().clone(), weight = student.weight.grad().clone();
    for (at::Tensor* part : {&student.hidden, &student.weight, &student.bias}) part->mutable_grad().reset();
    const at::Tensor p = softmax_of(teacher), q = softmax_of(student);
    const bool all = k == 11;
    const at::Tensor plain = of_bins(all ? at::gather(p, 1, top.ids) : binned(p, top.ids),
                                     all ? at::gather(q, 1, top.ids) : binned(q, top.ids), options);
    plain.backward();
    EXPECT_TRUE(at::allclose(sum, plain, 1e-11)) << k;
    EXPECT_TRUE(at::allclose(hidden, student.hidden.grad(), 1e-10, 1e-12)) << k;
    EXPECT_TRUE(at::allclose(weight, student.weight.grad(), 1e-10, 1e-12)) << k;
    EXPECT_GE(sum.item<double>(), before) << "more bins tell more";
    before = sum.item<double>();
  }
  EXPECT_NEAR(before, head_divergence(student, teacher, options).item<double>(), 1e-11);
}

// In float the forward one is a kernel of its own.
TEST(TopScores, InFloatAgreeWithDouble) {
  for (const double temperature : {1.0, 2.5})
    for (const std::int64_t k : {1, 5, 16})
      for (const double scale : {1.0, 20.0}) {
        LmHead exact{.hidden = normal({12, 4}, scale), .weight = normal({37, 4}), .bias = normal({37})};
        const LmHead teacher{.hidden = normal({12, 4}, scale), .weight = exact.weight.clone()};
        TopScores top = top_scores(teacher, k, temperature);
        const auto run = [&](at::ScalarType type) {
          LmHead head{.hidden = exact.hidden.to(type).detach().clone().set_requires_grad(true),
                      .weight = exact.weight.to(type).detach().clone().set_requires_grad(true),
                      .bias = exact.bias.to(type).detach().clone().set_requires_grad(true)};
          const at::Tensor sum = head_divergence(head, top, {.temperature = temperature});
          sum.backward();
          const at::Tensor silent = head_divergence(
              {.hidden = head.hidden.detach(), .weight = head.weight.detach(), .bias = head.bias.detach()},
              top, {.temperature = temperature});
          EXPECT_EQ(sum.item<double>(), silent.item<double>()) << "with and without gradient";
          return std::vector<at::Tensor>{sum.detach(), head.hidden.grad(), head.weight.grad(),
                                         head.bias.grad()};
        };
        const auto wide = run(at::kDouble), narrow = run(at::kFloat);
        for (std::size_t i = 0; i < wide.size(); ++i)
          EXPECT_TRUE(at::allclose(wide[i], narrow[i].to(at::kDouble), 2e-4, 2e-5 * scale))
              << i << " k " << k << " T " << temperature << " scale " << scale << "\n"
              << (wide[i] - narrow[i]).abs().max().item<double>();
      }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TopScoresOf,
                         testing::Values(Divergence::forward, Divergence::reverse, Divergence::jsd));

TEST(TopScores, AreOfOneTemperatureAndVocabulary) {
  const LmHead head{.hidden = normal({3, 6}), .weight = normal({11, 6})},
      small{.hidden = normal({3, 6}), .weight = normal({5, 6})};
  EXPECT_THROW(head_divergence(head, top_scores(head, 4, 2), {.temperature = 1}), Error);
  EXPECT_THROW(head_divergence(small, top_scores(head, 11, 1), {.temperature = 1}), Error);
  EXPECT_THROW(top_scores(head, 0, 1), Error);
  EXPECT_THROW(top_scores(head, 12, 1), Error);
  const LmHead none{.hidden = normal({0, 6}), .weight = normal({11, 6})};
  EXPECT_EQ(head_divergence(none, top_scores(none, 4, 1), {.temperature = 1}).item<double>(), 0);
}

// A student so sure of known entries that nothing is left for the others, in float: a number all the same.
TEST(TopScores, ARestOfNothingIsNoNaN) {
  LmHead student{.hidden = at::ones({1, 1}), .weight = at::zeros({4, 1})}, teacher = student;
  student.weight = at::zeros({4, 1}).index_fill(0, at::zeros({1}, at::kLong), 500.0).set_requires_grad(true);
  const at::Tensor sum = head_divergence(student, top_scores(teacher, 2, 1), {.temperature = 1});
  sum.backward();
  EXPECT_TRUE(at::isfinite(sum).item<bool>());
  EXPECT_TRUE(at::isfinite(student.weight.grad()).all().item<bool>());
}

}  // namespace
}  // namespace mgd
