#include "mgd/eval/intervals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "mgd/core/error.h"
#include "mgd/eval/statistics.h"

namespace mgd {

namespace {

constexpr double kNormal = 1.959963984540054;  // the 97.5 % quantile

constexpr std::array<double, 30> kStudent = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060,
                                             2.2622,  2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199,
                                             2.1098,  2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639,
                                             2.0595,  2.0555, 2.0518, 2.0484, 2.0452, 2.0423};

}  // namespace

Interval share_interval(std::int64_t hits, std::int64_t count) {
  MGD_ASSERT(hits >= 0 && hits <= count);
  if (count == 0) return {.low = 0, .high = 1};
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(hits) / n, square = kNormal * kNormal;
  const double centre = (share + square / (2 * n)) / (1 + square / n);
  const double half = kNormal * std::sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n);
  return {.low = hits == 0 ? 0 : centre - half, .high = hits == count ? 1 : centre + half};
}

Difference paired_difference(const PairedCounts& counts) {
  MGD_ASSERT(counts.first_only >= 0 && counts.second_only >= 0 &&
             counts.first_only + counts.second_only <= counts.count);
  if (counts.count == 0) return {.value = 0, .interval = {.low = -1, .high = 1}};
  const auto a = static_cast<double>(counts.first_only), b = static_cast<double>(counts.second_only);
  const double n = static_cast<double>(counts.count) + 2;
  const double centre = (a - b) / n;
  const double half = kNormal * std::sqrt((a + b + 1) / n - centre * centre) / std::sqrt(n);
  return {.value = (a - b) / static_cast<double>(counts.count),
          .interval = {.low = std::max(-1.0, centre - half), .high = std::min(1.0, centre + half)}};
}

Difference mean_difference(const std::vector<double>& differences) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const MeanSpread spread = mean_spread(differences);
  if (differences.size() < 2)
    return {.value = spread.mean, .interval = {.low = -kInfinity, .high = kInfinity}};
  const auto n = static_cast<std::int64_t>(differences.size());
  const double half = t_quantile(n - 1) * spread.deviation / std::sqrt(static_cast<double>(n));
  return {.value = spread.mean, .interval = {.low = spread.mean - half, .high = spread.mean + half}};
}

double t_quantile(std::int64_t freedom) {
  MGD_ASSERT(freedom >= 1);
  if (freedom <= static_cast<std::int64_t>(kStudent.size()))
    return kStudent[static_cast<std::size_t>(freedom - 1)];
  const auto f = static_cast<double>(freedom);
  const double z = kNormal, z3 = z * z * z, z5 = z3 * z * z;
  return z + (z3 + z) / (4 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96 * f * f);
}

}  // namespace mgd
