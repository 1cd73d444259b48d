#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "loss/fixture.h"
#include "mgd/core/error.h"

namespace mgd {
namespace {

using namespace test;

const auto kContext = context_of({5, 6, 5}, {7, 6, 5});

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
  EXPECT_EQ(loss->count({.batch_size = 5, .keep = {}}), 5);
  EXPECT_EQ(loss->describe(), "weight 1 per sample, label smoothing 0");
}

}  // namespace
}  // namespace mgd
