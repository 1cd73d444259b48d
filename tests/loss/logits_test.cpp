#include <ATen/ops/arange.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "loss/fixture.h"
#include "mgd/core/error.h"

namespace mgd {
namespace {

using namespace test;

const auto kContext = context_of({5, 6, 5}, {7, 6, 5});
const auto kPairs = context_for("cosine_similarity", {5, 6, 5}, {7, 6, 5});

TEST(Kd, AgreesWithPyTorch) {
  const Tensors fixture = read_fixture("logits");
  for (const char* temperature : {"1", "4"})
    for (auto dtype : {at::kDouble, at::kFloat})
      expect_case(*make_loss(entry_of("kd", {{"temperature", temperature}}), kContext), {}, fixture,
                  std::string("kd.") + temperature, dtype);
}

TEST(Kd, CountsSamplesAndHasThePublishedDefaults) {
  auto loss = make_loss(entry_of("kd"), kContext);
  EXPECT_EQ(loss->count({.batch_size = 5, .keep = {}}), 5);
  EXPECT_TRUE(loss->needs_teacher());
  EXPECT_EQ(loss->label(), "kd");
  EXPECT_EQ(loss->describe(), "weight 0.9 per sample, temperature 4");
}

TEST(Kd, DifferentClassCountsAreNamed) {
  auto loss = make_loss(entry_of("kd"), kContext);
  Case c;
  c.student_logits = drawn({2, 10}, 0);
  c.teacher_logits = drawn({2, 100}, 1);
  try {
    loss->sum(c.input());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_STREQ(e.what(), "losses.kd: the student has 10 classes and the teacher 100, expected the same");
  }
}

TEST(CrossEntropy, AgreesWithPyTorchOnHardAndSoftTargets) {
  const Tensors fixture = read_fixture("logits");
  for (const char* kind : {"hard", "soft"})
    for (const char* smoothing : {"0", "0.1"})
      for (auto dtype : {at::kDouble, at::kFloat}) {
        Case c;
        c.batch.target = fixture.at("in/target");
        if (std::string(kind) == "soft") c.batch.target_probs = fixture.at("in/target_probs").to(at::kFloat);
        expect_case(*make_loss(entry_of("cross_entropy", {{"label_smoothing", smoothing}}), kContext), c,
                    fixture, std::string("cross_entropy.") + kind + "." + smoothing, dtype);
      }
}

TEST(CrossEntropy, NeedsNoTeacher) {
  LossContext alone = kContext;
  alone.teacher.clear();
  auto loss = make_loss(entry_of("cross_entropy"), alone);
  EXPECT_FALSE(loss->needs_teacher());
  EXPECT_EQ(loss->count({.batch_size = 9, .num_targets = 5, .keep = {}}), 5);
  EXPECT_EQ(loss->describe(), "weight 1 per target, label smoothing 0");
}

// Cosines 1, 0 and -1 by construction.
TEST(CosineSimilarity, IsTheSquaredDistanceFromTheScore) {
  const auto loss = make_loss(entry_of("cosine_similarity", {{"max_score", "5"}}), kPairs);
  Case c;
  c.batch.sample_ids = {0, 1, 2};
  c.student_embedding = at::tensor({3.0, 4.0, 6.0, 8.0, 1.0, 0.0, 0.0, 2.0, 1.0, 1.0, -2.0, -2.0},
                                   at::TensorOptions().dtype(at::kDouble))
                            .view({6, 2});
  c.batch.target = at::tensor({5.0, 2.5, 0.0}, at::TensorOptions().dtype(at::kFloat));
  EXPECT_NEAR(scalar(loss->sum(c.input())), 0 + 0.25 + 1, 1e-12);
  EXPECT_EQ(loss->count(c.count_input()), 3);
  try {
    make_loss(entry_of("cosine_similarity"), kPairs)->sum(c.input());
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "losses.cosine_similarity: got the score 5, above max_score 1; write max_score: 5");
  }
}

// A language model hands out its output layer; its loss is that of the logits it would give.
TEST(CrossEntropy, ALanguageModelsHeadIsProjectedAtItsTargets) {
  const auto loss = make_loss(entry_of("cross_entropy", {{"label_smoothing", "0.1"}}), kContext);
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const LmHead head{.hidden = at::randn({5, 3}, options),
                    .weight = at::randn({7, 3}, options),
                    .bias = at::randn({7}, options)};
  Batch batch;
  batch.sample_ids = {0, 1};
  batch.target = at::arange(5);
  const Record none, heads{.head = head}, logits{.logits = at::linear(head.hidden, head.weight, head.bias)};
  const auto sum_of = [&](const Record& student) {
    return loss->sum({.batch = batch, .student = student, .teacher = none, .keep = {}}).item<double>();
  };
  EXPECT_NEAR(sum_of(heads), sum_of(logits), 1e-12);
  EXPECT_EQ(loss->count({.batch_size = 2, .num_targets = batch.num_targets(), .keep = {}}), 5);
}

}  // namespace
}  // namespace mgd
