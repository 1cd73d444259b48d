#include "mgd/eval/intervals.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mgd {
namespace {

// The four examples of Newcombe, Statistics in Medicine 1998, table I, method 3.
TEST(Intervals, SharesAreWilsons) {
  struct Case {
    std::int64_t hits, count;
    double low, high;
  };
  for (const Case& c : {Case{81, 263, 0.2553, 0.3662}, Case{15, 148, 0.0624, 0.1605}, Case{0, 20, 0, 0.1611},
                        Case{1, 29, 0.0061, 0.1718}}) {
    const Interval interval = share_interval(c.hits, c.count);
    EXPECT_NEAR(interval.low, c.low, 5e-5) << c.hits;
    EXPECT_NEAR(interval.high, c.high, 5e-5) << c.hits;
  }
}

TEST(Intervals, OfNothingNothingIsKnown) {
  EXPECT_EQ(share_interval(0, 0).low, 0);
  EXPECT_EQ(share_interval(0, 0).high, 1);
  EXPECT_TRUE(paired_difference({}).cannot_tell());
  EXPECT_TRUE(mean_difference({}).cannot_tell());
  EXPECT_TRUE(mean_difference({0.3}).cannot_tell());
}

TEST(Intervals, AllAndNoneReachTheBorderAndNotBeyond) {
  EXPECT_EQ(share_interval(7, 7).high, 1);
  EXPECT_GT(share_interval(7, 7).low, 0.5);
  EXPECT_GE(paired_difference({.first_only = 5, .second_only = 0, .count = 5}).interval.low, -1);
  EXPECT_LE(paired_difference({.first_only = 5, .second_only = 0, .count = 5}).interval.high, 1);
}

// 10.5 and 4.5 of 102 after half a sample a cell: 6 / 102 +- 1.96 sqrt(15 - 36 / 102) / 102.
TEST(Intervals, PairedDifferencesAddHalfASampleACell) {
  const Difference d = paired_difference({.first_only = 10, .second_only = 4, .count = 100});
  EXPECT_NEAR(d.value, 0.06, 1e-12);
  EXPECT_NEAR(d.interval.low, 6.0 / 102 - 1.959964 * std::sqrt(15 - 36.0 / 102) / 102, 1e-6);
  EXPECT_NEAR(d.interval.high, 6.0 / 102 + 1.959964 * std::sqrt(15 - 36.0 / 102) / 102, 1e-6);
  EXPECT_TRUE(d.cannot_tell());
  EXPECT_FALSE(paired_difference({.first_only = 40, .second_only = 4, .count = 100}).cannot_tell());
}

TEST(Intervals, SwappingTheTwoTurnsTheSign) {
  const Difference a = paired_difference({.first_only = 12, .second_only = 3, .count = 50});
  const Difference b = paired_difference({.first_only = 3, .second_only = 12, .count = 50});
  EXPECT_NEAR(a.interval.low, -b.interval.high, 1e-12);
  EXPECT_NEAR(a.value, -b.value, 1e-12);
}

// Quantiles from the usual tables; beyond 30 degrees of freedom the expansion takes over.
TEST(Intervals, QuantilesOfStudent) {
  EXPECT_NEAR(t_quantile(1), 12.706, 1e-3);
  EXPECT_NEAR(t_quantile(2), 4.303, 1e-3);
  EXPECT_NEAR(t_quantile(30), 2.042, 1e-3);
  EXPECT_NEAR(t_quantile(40), 2.021, 1e-3);
  EXPECT_NEAR(t_quantile(120), 1.980, 1e-3);
  for (std::int64_t f = 1; f < 200; ++f) EXPECT_GT(t_quantile(f), t_quantile(f + 1)) << f;
}

// Mean 0.02, deviation 0.01, three values: 0.02 +- 4.3027 * 0.01 / sqrt(3).
TEST(Intervals, MeansAreStudents) {
  const Difference d = mean_difference({0.01, 0.02, 0.03});
  EXPECT_NEAR(d.value, 0.02, 1e-12);
  EXPECT_NEAR(d.interval.high - d.value, 4.3027 * 0.01 / std::sqrt(3.0), 1e-6);
  EXPECT_TRUE(d.cannot_tell());
}

}  // namespace
}  // namespace mgd
