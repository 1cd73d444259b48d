#include "mgd/loss/feature.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "expect_error.h"
#include "loss/fixture.h"
#include "mgd/core/error.h"
#include "mgd/ops/phi_s.h"

namespace mgd {
namespace {

using namespace test;
using testing::HasSubstr;

LossContext stages() {
  LossContext context = context_of({1, 1, 1}, {1, 1, 1});
  const auto map = [](std::vector<std::int64_t> sizes) {
    return NodeInfo{.axes = Axes::map, .sizes = std::move(sizes)};
  };
  const NodeInfo classes{.axes = Axes::vector, .sizes = {10}};
  context.student = {
      {"layer1", map({16, 8, 8})}, {"layer2", map({32, 4, 4})}, {"layer3", map({64, 2, 2})}, {"fc", classes}};
  context.teacher = {
      {"layer1", map({16, 8, 8})}, {"layer2", map({64, 4, 4})}, {"layer3", map({64, 2, 2})}, {"fc", classes}};
  context.student_default_tap = context.teacher_default_tap = "layer3";
  return context;
}

std::vector<std::string> labels(const LossList& losses) {
  std::vector<std::string> all;
  for (const auto& loss : losses) all.push_back(loss->label());
  return all;
}

TEST(Mimic, AgreesWithPyTorch) {
  const Tensors fixture = read_fixture("mimic");
  for (auto dtype : {at::kDouble, at::kFloat}) {
    auto loss = make_loss(entry_of("mimic"), context_of({5, 6, 5}, {7, 6, 5}));
    expect_case(*loss, {}, fixture, "align", dtype);
    EXPECT_EQ(loss->count({.batch_size = 3, .keep = {}}), 3 * 7 * 6 * 5);
  }
}

// Against the transformation made by hand: rotation and factor come of what was seen before.
TEST(Mimic, ComparesWithPhiSOfWhatWasSeen) {
  auto loss = make_loss(entry_of("mimic", {{"target", "phi_s"}}), context_of({12, 3, 2}, {12, 3, 2}));
  ASSERT_TRUE(loss->wants_survey());
  Case c;
  c.student["feat"] = drawn({4, 12, 3, 2}, 1).set_requires_grad(true);
  c.teacher["feat"] = 5 * drawn({4, 12, 3, 2}, 2) + 3;
  loss->survey(c.input());
  EXPECT_EQ(loss->end_survey(), "mimic: PHI-S of teacher feat over 24 positions of the training samples");
  PrincipalComponents seen;
  seen.add(c.teacher["feat"].permute({0, 2, 3, 1}).reshape({24, 12}));
  const PhiS found = phi_s(seen);
  const at::Tensor target =
      at::linear(c.teacher["feat"].permute({0, 2, 3, 1}), found.weight.to(at::kFloat).to(at::kDouble),
                 found.bias.to(at::kFloat).to(at::kDouble))
          .permute({0, 3, 1, 2});
  const double expected = scalar(at::sum((c.student["feat"] - target).square()));
  EXPECT_NEAR(scalar(loss->sum(c.input())), expected, 1e-9 * expected);
  EXPECT_EQ(loss->trainable()->parameters().size(), 0U);
  EXPECT_EQ(loss->trainable()->buffers().size(), 2U);
  EXPECT_THAT(
      error_of(ExitCode::usage,
               [] {
                 make_loss(entry_of("mimic", {{"target", "phi_s"}}), context_of({7, 3, 2}, {7, 3, 2}));
               }),
      HasSubstr("order 7"));
}

TEST(AttentionTransfer, AgreesWithPyTorchThroughDifferentChannels) {
  const Tensors fixture = read_fixture("at");
  for (auto dtype : {at::kDouble, at::kFloat}) {
    auto loss = make_loss(entry_of("at"), context_of({5, 6, 5}, {7, 6, 5}));
    EXPECT_EQ(loss->trainable(), nullptr);
    expect_case(*loss, {}, fixture, "plain", dtype);
    EXPECT_EQ(loss->count({.batch_size = 3, .keep = {}}), 3 * 6 * 5);
    EXPECT_EQ(loss->weight(), 1000);
  }
}

TEST(AttentionTransfer, MapOfZerosIsDefined) {
  auto loss = make_loss(entry_of("at"), context_of({5, 6, 5}, {7, 6, 5}));
  Case c;
  at::Tensor student = at::zeros({2, 5, 6, 5}, at::kDouble).set_requires_grad(true);
  c.student["feat"] = student;
  c.teacher["feat"] = drawn({2, 7, 6, 5}, 1);
  const at::Tensor total = loss->sum(c.input());
  total.backward();
  EXPECT_NEAR(scalar(total), 2, 1e-12);  // the teacher's two vectors of norm 1
  EXPECT_EQ(scalar(at::sum(student.grad().abs())), 0);
}

TEST(FeatureLosses, TakeTheDefaultTapsAndTheNamedOnes) {
  auto one = make_loss(entry_of("mimic"), stages());
  EXPECT_EQ(one->label(), "mimic");
  EXPECT_EQ(one->student_taps(), std::vector<std::string>{"layer3"});
  EXPECT_EQ(one->trainable(), nullptr);  // 64 channels on both sides
  EXPECT_EQ(one->describe(),
            "student layer3 (64, 2, 2) -> teacher layer3 (64, 2, 2); weight 1 on the mean (= 0.00391 on the "
            "sum over 256 elements)");

  const auto same_names = make_losses(entry_of("mimic", {{"student_tap", "[layer1,layer2]"}}), stages());
  EXPECT_EQ(labels(same_names), (std::vector<std::string>{"mimic.layer1", "mimic.layer2"}));
  EXPECT_EQ(same_names[1]->teacher_taps(), std::vector<std::string>{"layer2"});
  ASSERT_NE(same_names[1]->trainable(), nullptr);
  EXPECT_EQ(same_names[1]->trainable()->parameters()[0].tensor.sizes().vec(),
            (std::vector<std::int64_t>{64, 32, 1, 1}));

  const auto labelled = make_losses(
      entry_of("mgd",
               {{"label", "deep"}, {"student_tap", "[layer2,layer3]"}, {"teacher_tap", "[layer2,layer3]"}}),
      stages());
  EXPECT_EQ(labels(labelled), (std::vector<std::string>{"deep.layer2", "deep.layer3"}));
}

TEST(FeatureLosses, RefuseTapsThatDoNotFitNamingBothSides) {
  EXPECT_THAT(
      message_of(entry_of("mimic", {{"student_tap", "layer1"}, {"teacher_tap", "layer3"}}), stages()),
      testing::AllOf(
          HasSubstr("test.yaml:1:2: losses.mimic: student 'layer1' is (16, 8, 8) and teacher 'layer3' is "
                    "(64, 2, 2)"),
          HasSubstr("resize: true")));
  EXPECT_THAT(message_of(entry_of("mgd", {{"student_tap", "layr3"}}), stages()),
              HasSubstr("test.yaml:1:2: losses.mgd: student_tap: no node 'layr3'; did you mean 'layer3'?"));
  EXPECT_THAT(message_of(entry_of("at", {{"student_tap", "layer3"}, {"teacher_tap", "leyer3"}}), stages()),
              HasSubstr("teacher_tap: no node 'leyer3'; did you mean 'layer3'?"));
  EXPECT_THAT(message_of(entry_of("mimic", {{"student_tap", "fc"}}), stages()),
              HasSubstr("node 'fc' has shape (10), a vector (K), expected a map (C, Y, X) or rows (H)"));
  EXPECT_THAT(message_of(entry_of("mimic", {{"student_tap", "[layer1,layer2]"}, {"teacher_tap", "layer1"}}),
                         stages()),
              HasSubstr("got 2 student_tap and 1 teacher_tap"));
  EXPECT_THAT(message_of(entry_of("mimic", {{"student_tap", "[layer3,layer3]"}}), stages()),
              HasSubstr("student 'layer3' meets teacher 'layer3' twice"));
}

TEST(FeatureLosses, ResizeComparesAtTheTeachersSize) {
  auto loss = make_loss(entry_of("mimic", {{"resize", "true"}}), context_of({7, 3, 4}, {7, 6, 5}));
  Case c;
  c.student["feat"] = drawn({2, 7, 3, 4}, 1);
  c.teacher["feat"] = drawn({2, 7, 6, 5}, 2);
  const at::Tensor resized = at::upsample_bilinear2d(c.student["feat"], {6, 5}, false);
  EXPECT_NEAR(scalar(loss->sum(c.input())), scalar(at::sum((resized - c.teacher["feat"]).square())), 1e-9);
  EXPECT_EQ(loss->count({.batch_size = 2, .keep = {}}), 2 * 7 * 6 * 5);
}

// bfloat16 has 8 bits: a sum of squares held in it would be off by per cents.
TEST(FeatureLosses, HalfPrecisionFeaturesAreSummedInFloat) {
  auto loss = make_loss(entry_of("mimic"), context_of({7, 6, 5}, {7, 6, 5}));
  Case c;
  c.student["feat"] = drawn({64, 7, 6, 5}, 1).to(at::kBFloat16);
  c.teacher["feat"] = drawn({64, 7, 6, 5}, 2).to(at::kBFloat16);
  const at::Tensor total = loss->sum(c.input());
  EXPECT_EQ(total.scalar_type(), at::kFloat);
  const double exact =
      scalar(at::sum((c.student["feat"].to(at::kDouble) - c.teacher["feat"].to(at::kDouble)).square()));
  EXPECT_NEAR(scalar(total), exact, 1e-5 * exact);
}

}  // namespace
}  // namespace mgd
