#include "mgd/report/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "mgd/report/colormap.h"

namespace mgd {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

void expect_ticks(const std::vector<double>& got, const std::vector<double>& expected) {
  EXPECT_THAT(got, Pointwise(DoubleNear(1e-9), expected));
}

TEST(Ticks, AreRound) {
  expect_ticks(nice_ticks(0, 10, 5), {0, 2, 4, 6, 8, 10});
  expect_ticks(nice_ticks(0.1, 0.93, 5), {0.2, 0.4, 0.6, 0.8});
  expect_ticks(nice_ticks(-3, 7, 5), {-2, 0, 2, 4, 6});
  expect_ticks(nice_ticks(0, 11700, 5), {0, 5000, 10000});
  expect_ticks(nice_ticks(85.9, 93.9, 6), {86, 88, 90, 92});
  expect_ticks(nice_ticks(4, 4, 5), {4});
}

TEST(Ticks, SurviveExtremes) {
  const double max = std::numeric_limits<double>::max();
  for (auto [low, high] : std::vector<std::pair<double, double>>{
           {-max, max}, {0, 5e-324}, {1e16, 1e16 + 2}, {1e300, max}, {-1e-300, 1e-300}}) {
    const auto ticks = nice_ticks(low, high, 5);
    EXPECT_GE(ticks.size(), 1U);
    EXPECT_LE(ticks.size(), 64U);
    for (double t : ticks) EXPECT_TRUE(std::isfinite(t));
  }
}

TEST(Ticks, LogarithmicOnesArePowersOfTen) {
  expect_ticks(log_ticks(0.5, 2000), {1, 10, 100, 1000});
  expect_ticks(log_ticks(0.3, 4), {0.5, 1, 2});
  expect_ticks(log_ticks(3, 6.5), {3, 4, 5, 6});  // a single 5 would be no axis
  EXPECT_LE(log_ticks(1e-300, 1e300).size(), 8U);
}

TEST(Curve, AverageHasNoBiasAtTheStart) {
  EXPECT_THAT(moving_average({3, 3, 3}, 10), Pointwise(DoubleNear(1e-12), std::vector<double>{3, 3, 3}));
  const auto average = moving_average({0, 1}, 3);  // keep 1/2: (0/2 + 1) / (1/2 + 1)
  EXPECT_NEAR(average[1], 2.0 / 3, 1e-12);
}

TEST(Curve, ThinningKeepsSpikesAndEnds) {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < 10000; ++i) points.emplace_back(i, i == 4321 ? 50 : 1);
  const auto thin = thin_out(points, 400);
  EXPECT_LE(thin.size(), 400U);
  EXPECT_EQ(thin.front().first, 0);
  EXPECT_EQ(thin.back().first, 9999);
  EXPECT_EQ(std::count(thin.begin(), thin.end(), std::pair<double, double>(4321, 50)), 1);
  EXPECT_TRUE(std::is_sorted(thin.begin(), thin.end()));
}

double luminance(const Rgb& c) {
  return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}

TEST(Colormap, GrowsBrighterAndClamps) {
  for (double f = 0; f < 0.995; f += 0.01)
    EXPECT_LT(luminance(viridis(f)), luminance(viridis(f + 0.01)) + 0.5) << f;
  EXPECT_EQ(viridis(-1), (Rgb{0x44, 0x01, 0x54}));
  EXPECT_EQ(viridis(2), (Rgb{0xfd, 0xe7, 0x25}));
  EXPECT_EQ(viridis(std::nan("")), (Rgb{0x9a, 0x9a, 0x9a}));
}

TEST(Colormap, MapsRangesAndOddValues) {
  const std::vector<float> values = {0, 1, NAN, INFINITY};
  const ValueRange range = range_of(values);
  EXPECT_EQ(range.low, 0);
  EXPECT_EQ(range.high, 1);
  const Image image = colour_map(values, 2, 2, range, viridis);
  EXPECT_EQ(image.at(0, 0, 0), 0x44);
  EXPECT_EQ(image.at(0, 1, 0), 0xfd);
  EXPECT_EQ(image.at(1, 0, 0), 0x9a);
  EXPECT_EQ(image.at(1, 1, 1), 0xe7);
  EXPECT_TRUE(range_of({NAN}).empty());
}

}  // namespace
}  // namespace mgd
