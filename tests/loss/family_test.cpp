// The wider family against scripts/fixtures/make_loss_family.py: 20 cases a loss, value and gradients, and
// what is nearly the formula told from it.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/max.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "loss/fixture.h"
#include "mgd/core/error.h"
#include "mgd/nn/autocast.h"

namespace mgd {
namespace {

using namespace test;
using testing::HasSubstr;

constexpr double kInDouble = 1e-12, kInFloat = 1e-6;

// One case of a fixture: its tensors by what they are called within it.
struct FamilyCase {
  std::string name;
  Tensors tensors;

  bool has(const std::string& key) const { return tensors.contains(key); }
  const at::Tensor& at(const std::string& key) const { return tensors.at(key); }
};

std::vector<FamilyCase> cases_of(const std::string& loss) {
  std::map<std::string, FamilyCase> cases;
  for (const auto& [key, tensor] : read_fixture("family_" + loss)) {
    FamilyCase& c = cases[key.substr(0, 2)];
    c.name = loss + " " + key.substr(0, 2);
    c.tensors[key.substr(3)] = tensor;
  }
  std::vector<FamilyCase> all;
  for (auto& [name, c] : cases) all.push_back(std::move(c));
  return all;
}

class Family : public testing::TestWithParam<std::string> {};

// Of a sample of a map, or of a vector.
NodeInfo info_of_sample(const at::Tensor& tap) {
  return {.axes = tap.dim() == 4 ? Axes::map : Axes::vector, .sizes = tap.sizes().slice(1).vec()};
}

std::unique_ptr<Loss> loss_of(const std::string& name, const FamilyCase& c) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [key, tensor] : c.tensors) {
    if (!key.starts_with("option/")) continue;
    const double value = scalar(tensor);
    fields.emplace_back(key.substr(7), key == "option/standardize" ? "true" : fmt::format("{:.17g}", value));
  }
  LossContext context = context_of({1, 1, 1}, {1, 1, 1});
  if (c.has("in/student")) {
    context.num_classes = c.at("in/student").size(1);
    return make_loss(entry_of(name, fields), context);
  }
  std::string taps;
  for (int i = 0; c.has("in/student." + std::to_string(i)); ++i) {
    const std::string tap = "tap" + std::to_string(i);
    context.student[tap] = info_of_sample(c.at("in/student." + std::to_string(i)));
    context.teacher[tap] = info_of_sample(c.at("in/teacher." + std::to_string(i)));
    taps += (taps.empty() ? "" : ",") + tap;
  }
  fields.emplace_back("student_tap", "[" + taps + "]");
  if (name == "mgd") {
    fields.emplace_back("mask", "spatial");
    fields.emplace_back("target", "standardized");
  }
  if (c.has("in/survey.target"))
    context.num_classes = at::max(c.at("in/survey.target")).item<std::int64_t>() + 1;
  return make_loss(entry_of(name, fields), context);
}

// The inputs in `dtype`; tensors of the student collect gradients, and `leaves` has them by name.
Case inputs_of(const FamilyCase& c, at::ScalarType dtype, Tensors& leaves) {
  Case inputs;
  for (const auto& [key, tensor] : c.tensors) {
    if (!key.starts_with("in/student")) continue;
    at::Tensor student = tensor.to(dtype).clone().set_requires_grad(true);
    const at::Tensor teacher = c.at("in/teacher" + key.substr(10)).to(dtype);
    leaves[key.substr(3)] = student;
    if (key == "in/student") {
      inputs.student_logits = student;
      inputs.teacher_logits = teacher;
    } else {
      const std::string tap = "tap" + key.substr(11);
      inputs.student[tap] = student;
      inputs.teacher[tap] = teacher;
    }
    inputs.batch.sample_ids.resize(static_cast<std::size_t>(student.size(0)));
  }
  if (c.has("in/target")) inputs.batch.target = c.at("in/target");
  if (c.has("in/keep")) inputs.keep = c.at("in/keep").to(at::kBool);
  return inputs;
}

void survey(Loss& loss, const FamilyCase& c, at::ScalarType dtype) {
  if (!loss.wants_survey()) return;
  Case all;
  all.teacher["tap0"] = c.at("in/survey.teacher").to(dtype);
  all.batch.target = c.at("in/survey.target");
  loss.survey(all.input());
  loss.end_survey();
}

double largest(const at::Tensor& values) {
  return values.numel() == 0 ? 0.0 : scalar(at::max(at::abs(values)));
}

// In float a case is judged by its largest number: the gradient of a bias is a sum that cancels.
double scale_of(const FamilyCase& c, const at::Tensor& exact, at::ScalarType dtype) {
  double scale = std::max(1.0, largest(exact));
  if (dtype == at::kDouble) return scale;
  for (const auto& [key, tensor] : c.tensors)
    if (key.starts_with("grad/") || key == "sum") scale = std::max(scale, largest(tensor));
  return scale;
}

void expect_near(const at::Tensor& got, const at::Tensor& exact, double tolerance, const std::string& what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.numel(), exact.numel()) << what;
  const double error = largest(got.detach().to(at::kDouble).reshape(exact.sizes()) - exact);
  EXPECT_LE(error, tolerance) << what << ": " << largest(exact);
}

TEST_P(Family, AgreesWithTheFormulaInValueAndGradient) {
  const auto cases = cases_of(GetParam());
  ASSERT_EQ(cases.size(), 20U);
  for (const FamilyCase& c : cases)
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      const double tolerance = dtype == at::kDouble ? kInDouble : kInFloat;
      SCOPED_TRACE(c.name + (dtype == at::kDouble ? " double" : " float"));
      auto loss = loss_of(GetParam(), c);
      set_blocks(*loss, c.tensors, dtype);
      survey(*loss, c, dtype);
      Tensors leaves;
      const Case inputs = inputs_of(c, dtype, leaves);
      if (loss->trainable())
        for (const auto& entry : loss->trainable()->parameters()) leaves[entry.name] = entry.tensor;
      const at::Tensor total = loss->sum(inputs.input());
      EXPECT_EQ(total.scalar_type(), dtype);
      total.backward();
      const auto compare = [&](const at::Tensor& got, const std::string& key) {
        expect_near(got, c.at(key), tolerance * scale_of(c, c.at(key), dtype), key);
      };
      compare(total, "sum");
      for (const auto& [name, leaf] : leaves) compare(leaf.grad(), "grad/" + name);
    }
}

// Each is farther from the formula than the float tolerance, and in the worst case by per cents.
TEST_P(Family, WhatIsNearlyTheFormulaWouldFail) {
  std::map<std::string, double> distance;
  for (const FamilyCase& c : cases_of(GetParam()))
    for (const auto& [key, tensor] : c.tensors) {
      if (!key.starts_with("miss/")) continue;
      const double exact = scalar(c.at("sum"));
      double& farthest = distance[key.substr(5)];
      farthest = std::max(farthest, std::abs(scalar(tensor) - exact) / std::max(1.0, std::abs(exact)));
    }
  EXPECT_GE(distance.size(), 2U);
  for (const auto& [miss, farthest] : distance) EXPECT_GT(farthest, 1e4 * kInFloat) << miss;
}

INSTANTIATE_TEST_SUITE_P(Losses, Family,
                         testing::Values("kd", "dkd", "nkd", "dist", "pkd", "rkd", "nd", "review", "mgd"),
                         [](const auto& info) { return info.param; });

// KD = TCKD + (1 - p_y) NCKD, sample by sample (section 3.1 of the paper).
TEST(Dkd, AddsUpToKd) {
  const auto context = context_of({5, 6, 5}, {7, 6, 5});
  const auto sum = [&](const char* name, std::vector<std::pair<std::string, std::string>> fields,
                       const Case& c) {
    fields.emplace_back("temperature", "2");
    return scalar(make_loss(entry_of(name, fields), context)->sum(c.input()));
  };
  Case c;
  c.student_logits = drawn({1, 10}, 1, 2);
  c.teacher_logits = drawn({1, 10}, 2, 2);
  c.batch.target = at::full({1}, 4, at::kLong);
  const double others = 1 - scalar(at::softmax(c.teacher_logits / 2, 1)[0][4]);
  const double target = sum("dkd", {{"beta", "0"}}, c), rest = sum("dkd", {{"alpha", "0"}, {"beta", "1"}}, c);
  EXPECT_NEAR(sum("kd", {}, c), target + others * rest, 1e-12);
}

// Of mixed pictures the class with the largest share counts.
TEST(Nkd, SoftTargetsBecomeTheirLargest) {
  const auto loss = make_loss(entry_of("nkd"), context_of({5, 6, 5}, {7, 6, 5}));
  Case c;
  c.student_logits = drawn({2, 4}, 1, 2);
  c.teacher_logits = drawn({2, 4}, 2, 2);
  c.batch.sample_ids = {0, 1};
  c.batch.target = at::tensor({1, 3}, at::TensorOptions().dtype(at::kLong));
  const double hard = scalar(loss->sum(c.input()));
  c.batch.target = at::zeros({2}, at::kLong);
  c.batch.target_probs =
      at::tensor({0.3, 0.7, 0.0, 0.0, 0.0, 0.4, 0.0, 0.6}, at::TensorOptions().dtype(at::kFloat))
          .view({2, 4});
  EXPECT_EQ(scalar(loss->sum(c.input())), hard);
}

TEST(StandardisedLogits, ChangeTheDefaultsAndRefuseTwoClasses) {
  LossContext context = context_of({5, 6, 5}, {7, 6, 5});
  const Node entry = entry_of("kd", {{"standardize", "true"}});
  EXPECT_EQ(make_loss(entry, context)->describe(), "weight 9 per sample, temperature 2, standardised logits");
  EXPECT_EQ(
      make_loss(entry_of("kd", {{"standardize", "true"}, {"temperature", "3"}, {"weight", "1"}}), context)
          ->describe(),
      "weight 1 per sample, temperature 3, standardised logits");
  EXPECT_THAT(message_of(entry_of("kd", {{"standardize", "true"}, {"divergence", "jsd"}}), context),
              HasSubstr("test.yaml:1:2: losses.kd: standardize: it goes with divergence: forward only"));
  context.num_classes = 2;
  EXPECT_THAT(message_of(entry, context), HasSubstr("test.yaml:1:2: losses.kd: standardize: the two logits"));
}

// L = 1 - mean correlation, up to (n - 1) / n.
TEST(Pkd, IsOneMinusTheCorrelationOfChannels) {
  const auto loss = make_loss(entry_of("pkd"), context_of({2, 3, 3}, {2, 3, 3}));
  Case c;
  c.student["feat"] = drawn({4, 2, 3, 3}, 1);
  c.teacher["feat"] = drawn({4, 2, 3, 3}, 2);
  c.batch.sample_ids.resize(4);
  double correlation = 0;
  for (int channel = 0; channel < 2; ++channel) {
    const at::Tensor s = c.student["feat"].select(1, channel), t = c.teacher["feat"].select(1, channel);
    const at::Tensor a = s - s.mean(), b = t - t.mean();
    correlation += scalar((a * b).sum() / (a.norm() * b.norm())) / 2;
  }
  const double n = 4 * 3 * 3, mean = scalar(loss->sum(c.input())) / loss->count(c.count_input());
  EXPECT_NEAR(mean, (n - 1) / n * (1 - correlation), 1e-5);
  EXPECT_THAT(message_of(entry_of("pkd"), context_of({5, 6, 5}, {7, 6, 5})),
              HasSubstr("losses.pkd: student 'feat' has 5 channels and teacher 'feat' 7"));
}

TEST(StepLosses, SayThatTheySeeTheStepAtOnce) {
  std::set<std::string> at_once;
  for (const std::string& name : known_losses()) {
    if (name == "embedding" || name == "minilm" || name == "tinybert") continue;  // of texts
    const auto context = context_for(name, {7, 6, 5}, {7, 6, 5});
    if (make_loss(entry_of(name), context)->scope() == Scope::step) at_once.insert(name);
  }
  EXPECT_EQ(at_once, (std::set<std::string>{"dist", "pkd", "rkd"}));
  EXPECT_EQ(
      make_loss(entry_of("mgd", {{"target", "standardized"}}), context_of({7, 6, 5}, {7, 6, 5}))->scope(),
      Scope::step);
}

// 300 samples are computed in pieces of anchors; the sum and the gradient of one piece of all are the same.
TEST(Rkd, ManySamplesAreComputedInPieces) {
  const auto loss = make_loss(entry_of("rkd"), context_of({3, 1, 1}, {4, 1, 1}));
  constexpr std::int64_t kMany = 300, kHalf = 150;
  const at::Tensor half = drawn({kHalf, 3, 1, 1}, 1), teacher = drawn({kHalf, 4, 1, 1}, 2);
  const auto run = [&](const at::Tensor& student, const at::Tensor& t) {
    Case c;
    c.student["feat"] = student.clone().set_requires_grad(true);
    c.teacher["feat"] = t;
    const at::Tensor total = loss->sum(c.input());
    total.backward();
    return std::pair{scalar(total) / static_cast<double>(student.size(0)), c.student["feat"].grad()};
  };
  // Every sample twice: means of pairs and triplets stay, but for the angles at one's own copy, which are 0
  // on both sides, and the mean of the positive distances.
  const auto [once, gradient] = run(half, teacher);
  const auto [twice, of_copies] = run(at::cat({half, half}), at::cat({teacher, teacher}));
  EXPECT_NEAR(twice, once, 1e-9 * std::abs(once));
  EXPECT_EQ(of_copies.size(0), kMany);
  EXPECT_LT(largest(of_copies.narrow(0, 0, kHalf) - gradient), 1e-9 * largest(gradient) + 1e-12);
}

// By hand: the softmax over positions of mean |f| / 0.5, times the mean of |align(S) - T|; and no gradient.
TEST(ImportanceMask, ScoresAreStrengthAndDisagreement) {
  const auto context = context_of({3, 2, 2}, {3, 2, 2});
  Case c;
  c.student["feat"] = drawn({2, 3, 2, 2}, 1).set_requires_grad(true);
  c.teacher["feat"] = drawn({2, 3, 2, 2}, 2);
  const auto scores = [&](const char* mask) {
    return make_loss(entry_of("mgd", {{"mask", mask}}), context)->mask_scores(c.input());
  };
  EXPECT_FALSE(scores("spatial").defined());
  const at::Tensor by_student = scores("student"), by_teacher = scores("teacher");
  EXPECT_FALSE(by_student.requires_grad());
  const double *s = c.student["feat"].const_data_ptr<double>(),
               *t = c.teacher["feat"].const_data_ptr<double>();
  for (int b = 0; b < 2; ++b) {
    double of_student = 0, of_teacher = 0;  // up to a constant of the sample
    for (int p = 0; p < 4; ++p) {
      double strong = 0, strong_teacher = 0, apart = 0;
      for (int channel = 0; channel < 3; ++channel) {
        const int i = (b * 3 + channel) * 4 + p;
        strong += std::abs(s[i]) / 3;
        strong_teacher += std::abs(t[i]) / 3;
        apart += std::abs(s[i] - t[i]) / 3;
      }
      const double left = scalar(by_student[b][p]) - strong / 0.5 - std::log(apart);
      const double left_teacher = scalar(by_teacher[b][p]) - strong_teacher / 0.5;
      if (p > 0) {
        EXPECT_NEAR(left, of_student, 1e-12);
        EXPECT_NEAR(left_teacher, of_teacher, 1e-12);
      }
      of_student = left;
      of_teacher = left_teacher;
    }
  }
}

TEST(Rkd, IsExactInARunInBfloat16) {
  const auto loss = make_loss(entry_of("rkd"), context_of({5, 1, 1}, {7, 1, 1}));
  Case c;
  c.student["feat"] = drawn({6, 5, 1, 1}, 1).to(at::kFloat);
  c.teacher["feat"] = drawn({6, 7, 1, 1}, 2).to(at::kFloat);
  const at::Tensor expected = loss->sum(c.input());
  const AutocastGuard autocast(true, at::kCPU);
  const at::Tensor got = loss->sum(c.input());
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_EQ(scalar(got), scalar(expected));
}

TEST(Review, RefusesAVectorAgainstAMap) {
  LossContext context = context_of({5, 6, 5}, {7, 6, 5});
  context.student["pool"] = {.axes = Axes::vector, .sizes = {5}};
  context.teacher["pool"] = {.axes = Axes::vector, .sizes = {7}};
  const auto loss = make_loss(entry_of("review", {{"student_tap", "[feat,pool]"}}), context);
  EXPECT_EQ(loss->student_taps(), (std::vector<std::string>{"feat", "pool"}));
  EXPECT_THAT(loss->describe(), HasSubstr("student pool (5, 1, 1) -> teacher pool (7, 1, 1); weight 1"));
  EXPECT_EQ(loss->warmup_epochs(), 20);
  EXPECT_THAT(message_of(entry_of("review", {{"student_tap", "pool"}, {"teacher_tap", "feat"}}), context),
              HasSubstr("expected the same height and width"));
  EXPECT_THAT(message_of(entry_of("mimic", {{"student_tap", "pool"}}), context), HasSubstr("expected a map"));
}

}  // namespace
}  // namespace mgd
