#include "mgd/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "mgd/train/guard.h"

namespace mgd {
namespace {

TEST(Schedule, CosineLinearStepConstant) {
  ScheduleOptions o{.name = "cosine", .lr = 0.4, .total_steps = 100, .final_lr_frac = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(o, 0), 0.4);
  EXPECT_NEAR(learning_rate(o, 50), 0.04 + 0.5 * 0.36, 1e-12);
  EXPECT_NEAR(learning_rate(o, 100), 0.04, 1e-12);
  o.name = "linear";
  EXPECT_NEAR(learning_rate(o, 25), 0.4 - 0.25 * 0.36, 1e-12);
  o = {.name = "step", .lr = 1, .total_steps = 100, .milestones_frac = {0.5, 0.75}, .gamma = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(o, 49), 1);
  EXPECT_NEAR(learning_rate(o, 50), 0.1, 1e-15);
  EXPECT_NEAR(learning_rate(o, 75), 0.01, 1e-15);
  o.name = "constant";
  EXPECT_DOUBLE_EQ(learning_rate(o, 99), 1);
}

TEST(Schedule, WarmUpRisesToTheFullRateAndTheRestIsScaled) {
  const ScheduleOptions o{.name = "cosine", .lr = 1, .total_steps = 110, .warmup_steps = 10};
  EXPECT_DOUBLE_EQ(learning_rate(o, 0), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(o, 9), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(o, 10), 1.0);
  EXPECT_NEAR(learning_rate(o, 60), 0.5, 1e-12);
}

TEST(Guard, SkipsWhatIsNotFiniteAndWhatSpikes) {
  DivergenceGuard guard;
  for (int i = 0; i < 200; ++i) EXPECT_EQ(guard.judge(1.0 + 0.1 * std::sin(i), 1.0), "");
  EXPECT_NE(guard.judge(std::nan(""), 1.0).find("loss is nan"), std::string::npos);
  EXPECT_NE(guard.judge(1.0, INFINITY).find("gradient norm is inf"), std::string::npos);
  EXPECT_EQ(guard.consecutive_bad, 2);
  EXPECT_NE(guard.judge(50.0, 1.0).find("standard deviations above"), std::string::npos);
  EXPECT_EQ(guard.judge(1.0, 1.0), "");
  EXPECT_EQ(guard.consecutive_bad, 0);
  EXPECT_NEAR(guard.mean, 1.0, 0.05);  // bad steps left no trace in the averages
}

TEST(Guard, AHighFirstLossIsNoSpike) {
  DivergenceGuard guard;
  EXPECT_EQ(guard.judge(1e6, 1.0), "");
  EXPECT_EQ(guard.judge(2e7, 1.0), "");
}

}  // namespace
}  // namespace mgd
