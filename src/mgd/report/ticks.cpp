#include <algorithm>
#include <cmath>

#include "mgd/report/chart.h"

namespace mgd {

std::vector<double> nice_ticks(double low, double high, int count) {
  if (!(low < high) || count < 1) return {low};
  // Halved before subtracting: the span of [-1e308, 1e308] is not a double.
  const double raw = (high / 2 - low / 2) / count * 2;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double mantissa = raw / power;
  const double step = power * (mantissa <= 1.0 + 1e-9   ? 1
                               : mantissa <= 2.0 + 1e-9 ? 2
                               : mantissa <= 5.0 + 1e-9 ? 5
                                                        : 10);
  std::vector<double> ticks;
  const double slack = 1e-9;
  for (double k = std::ceil(low / step - slack); k <= high / step + slack && ticks.size() < 64; k += 1) {
    const double tick = k * step;
    // Beyond 2^53 steps k + 1 == k, and neighbouring ticks fall together.
    if (!std::isfinite(tick) || (!ticks.empty() && tick <= ticks.back())) break;
    ticks.push_back(tick == 0 ? 0.0 : tick);
  }
  if (ticks.empty()) ticks.push_back(low);
  return ticks;
}

std::vector<double> log_ticks(double low, double high) {
  const double first = std::floor(std::log10(low)), last = std::ceil(std::log10(high));
  const double decades = std::log10(high) - std::log10(low);
  const double stride = std::max(1.0, std::ceil(decades / 5));
  std::vector<double> ticks;
  for (double d = first; d <= last; d += stride) {
    for (double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && decades >= 3) continue;
      const double tick = factor * std::pow(10.0, d);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  // So narrow a range is nearly linear.
  return ticks.size() < 2 ? nice_ticks(low, high, 5) : ticks;
}

std::vector<double> moving_average(const std::vector<double>& values, double window) {
  const double keep = window <= 1 ? 0 : 1 - 2 / (window + 1);
  double sum = 0, weight = 0;
  std::vector<double> averages;
  averages.reserve(values.size());
  for (double v : values) {
    sum = keep * sum + (1 - keep) * v;
    weight = keep * weight + (1 - keep);
    averages.push_back(sum / weight);
  }
  return averages;
}

std::vector<std::pair<double, double>> thin_out(const std::vector<std::pair<double, double>>& points,
                                                std::size_t limit) {
  if (points.size() <= limit) return points;
  const std::size_t buckets = std::max<std::size_t>(1, limit / 2 - 1);
  const auto by_value = [](const auto& a, const auto& b) { return a.second < b.second; };
  std::vector<std::pair<double, double>> kept{points.front()};
  const std::size_t inner = points.size() - 2;
  for (std::size_t b = 0; b < buckets; ++b) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(1 + b * inner / buckets);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>(1 + (b + 1) * inner / buckets);
    if (begin == end) continue;
    const auto [least, greatest] = std::minmax_element(begin, end, by_value);
    kept.push_back(*std::min(least, greatest));
    if (least != greatest) kept.push_back(*std::max(least, greatest));
  }
  kept.push_back(points.back());
  return kept;
}

}  // namespace mgd
