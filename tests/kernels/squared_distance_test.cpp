#include "mgd/kernels/squared_distance.h"

#include <gtest/gtest.h>

#include <vector>

namespace mgd {
namespace {

TEST(SquaredDistance, LeavesTheDifferenceAndItsSums) {
  for (const std::int64_t width : {1, 4, 7, 16}) {
    constexpr std::int64_t kCount = 5, kStride = 20;
    std::vector<float> made(kCount * kStride, 99), target(made), bias(16), sums(16, 99);
    double expected = 0;
    std::vector<double> columns(16, 0.0);
    for (std::int64_t i = 0; i < kCount; ++i)
      for (std::int64_t c = 0; c < width; ++c) {
        const auto at = static_cast<std::size_t>(i * kStride + c), channel = static_cast<std::size_t>(c);
        made[at] = static_cast<float>(i * i - c), target[at] = static_cast<float>(2 * c - i);
        bias[channel] = static_cast<float>(c) / 4;
        const double error = static_cast<double>(made[at]) + static_cast<double>(bias[channel]) -
                             static_cast<double>(target[at]);
        expected += error * error, columns[channel] += error;
      }
    const double sum = subtract_rows({made.data(), kStride}, {target.data(), kStride}, bias.data(), kCount,
                                     width, sums.data());
    EXPECT_EQ(sum, expected);
    for (std::int64_t c = 0; c < width; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      EXPECT_EQ(static_cast<double>(sums[channel]), columns[channel]);
      EXPECT_EQ(static_cast<double>(made[channel]),
                static_cast<double>(-c) + static_cast<double>(c) / 4 - 2.0 * static_cast<double>(c));
    }
    EXPECT_EQ(made[static_cast<std::size_t>(width)], 99);  // what lies between the rows
  }
}

}  // namespace
}  // namespace mgd
