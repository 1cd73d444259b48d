#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mgd/report/chart.h"
#include "mgd/report/number.h"

namespace mgd {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr double kWidth = 340, kHeight = 190;  // of the drawing, in its own units
constexpr double kLeft = 46, kRight = 14, kTop = 10, kBottom = 24;
constexpr double kLargest = 1e300;       // differences of larger numbers overflow
constexpr double kLargestOnLog = 1e30;   // a wider logarithmic axis says nothing
constexpr std::size_t kMaxPoints = 400;  // more than the drawing has pixels for

struct Axis {
  double low, high, begin, end;  // values, and where they lie in the drawing
  bool log = false;
  double place(double value) const {
    const double v = log ? std::log10(value) : value, a = log ? std::log10(low) : low,
                 b = log ? std::log10(high) : high;
    return b > a ? begin + (v - a) / (b - a) * (end - begin) : (begin + end) / 2;
  }
};

Points finite_points(const Points& points) {
  Points kept;
  for (auto [x, y] : points) {
    if (std::isfinite(x) && std::isfinite(y)) kept.emplace_back(x, std::clamp(y, -kLargest, kLargest));
  }
  return kept;
}

// A little air above and below; a flat curve gets a range around it.
Axis y_axis(const Points& points, bool log) {
  const auto [least, greatest] =
      std::minmax_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.second < b.second; });
  double low = least->second, high = greatest->second;
  if (log) {
    constexpr double kFlat = 1.001, kAroundFlat = 1.02;
    const double air = high / low > kFlat ? std::pow(high / low, 0.04) : kAroundFlat;
    return {low / air, high * air, kHeight - kBottom, kTop, true};
  }
  double air = (high - low) * 0.05;
  if (!(high > low)) air = low == 0 ? 1 : std::abs(low) * 0.1;
  return {low - air, high + air, kHeight - kBottom, kTop, false};
}

Axis x_axis(const Points& points) {
  return {points.front().first, points.back().first, kLeft, kWidth - kRight, false};
}

std::string path_of(const Points& points, const Axis& x, const Axis& y) {
  std::string path;
  for (auto [px, py] : points) {
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", coordinate_text(x.place(px)),
                        coordinate_text(y.place(py)));
  }
  return path;
}

double step_of(const std::vector<double>& ticks) {
  return ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
}

double largest_of(const std::vector<double>& ticks) {
  double largest = 0;
  for (double t : ticks) largest = std::max(largest, std::abs(t));
  return largest;
}

void draw_y_ticks(Html& html, const LineChart& chart, const Axis& y) {
  const auto ticks = y.log ? log_ticks(y.low, y.high) : nice_ticks(y.low, y.high, 5);
  const double scale = chart.percent ? 100 : 1;
  for (double tick : ticks) {
    const std::string at = coordinate_text(y.place(tick));
    html.empty("path", {{"class", "grid"}, {"d", fmt::format("M{} {}H{}", kLeft, at, kWidth - kRight)}});
    const std::string label =
        y.log ? value_text(tick * scale)
              : tick_text(tick * scale, step_of(ticks) * scale, largest_of(ticks) * scale);
    html.element(
        "text", chart.percent ? label + "%" : label,
        {{"x", coordinate_text(kLeft - 6)}, {"y", coordinate_text(y.place(tick) + 3.5)}, {"class", "end"}});
  }
}

void draw_x_ticks(Html& html, const Axis& x) {
  // No ticks between two steps.
  const int count = static_cast<int>(std::clamp(x.high - x.low, 1.0, 5.0));
  const auto ticks = nice_ticks(x.low, x.high, count);
  const double bottom = kHeight - kBottom;
  html.empty("path", {{"class", "axis"}, {"d", fmt::format("M{} {}H{}", kLeft, bottom, kWidth - kRight)}});
  for (double tick : ticks) {
    const std::string at = coordinate_text(x.place(tick));
    html.empty("path", {{"class", "axis"}, {"d", fmt::format("M{} {}v4", at, bottom)}});
    html.element("text", tick_text(tick, step_of(ticks), largest_of(ticks)),
                 {{"x", at}, {"y", coordinate_text(kHeight - 6)}, {"class", "mid"}});
  }
}

// A schedule or another smooth curve needs no average, and one would lag behind it.
bool is_noisy(const Points& points) {
  std::size_t turns = 0;
  for (std::size_t i = 2; i < points.size(); ++i) {
    const double before = points[i - 1].second - points[i - 2].second,
                 after = points[i].second - points[i - 1].second;
    if ((before > 0 && after < 0) || (before < 0 && after > 0)) ++turns;
  }
  return turns * 10 > points.size();
}

// The raw curve pale, its average strong; without many points the curve itself is the strong one.
void draw_curve(Html& html, const Points& points, const Axis& x, const Axis& y) {
  if (points.size() > kSmoothFrom && is_noisy(points)) {
    html.empty("path", {{"class", "raw"}, {"d", path_of(thin_out(points, kMaxPoints), x, y)}});
    std::vector<double> values;
    for (const auto& p : points) values.push_back(p.second);
    values = moving_average(values, static_cast<double>(points.size()) / 30);
    Points smooth;
    for (std::size_t i = 0; i < points.size(); ++i) smooth.emplace_back(points[i].first, values[i]);
    html.empty("path", {{"class", "curve"}, {"d", path_of(thin_out(smooth, kMaxPoints), x, y)}});
    return;
  }
  if (points.size() > 1)
    html.empty("path", {{"class", "curve"}, {"d", path_of(thin_out(points, kMaxPoints), x, y)}});
  html.empty("circle", {{"class", "dot"},
                        {"cx", coordinate_text(x.place(points.back().first))},
                        {"cy", coordinate_text(y.place(points.back().second))},
                        {"r", "3"}});
}

std::string shown(const LineChart& chart, double value) {
  if (!chart.percent) return value_text(value);
  // Two decimals would make nothing of a small share.
  return value != 0 && std::abs(value) < 1e-3 ? value_text(100 * value) + " %" : percent_text(value);
}

std::string described(const LineChart& chart, const Points& points) {
  if (points.empty()) return fmt::format("{}: no finite value", chart.title);
  return fmt::format("{}: {} at step {}, {} at step {}", chart.title, shown(chart, points.front().second),
                     value_text(points.front().first), shown(chart, points.back().second),
                     value_text(points.back().first));
}

}  // namespace

void draw_line_chart(Html& html, const LineChart& chart) {
  if (chart.points.empty()) return;
  const Points points = finite_points(chart.points);
  const bool log = chart.log_y && std::all_of(points.begin(), points.end(), [](auto& p) {
                     return p.second > 1 / kLargestOnLog && p.second < kLargestOnLog;
                   });
  html.open("figure", {{"class", "chart"}}).open("figcaption");
  html.element("span", chart.title, {{"class", "name"}});
  html.element("span", shown(chart, chart.points.back().second),
               {{"class", "last"}, {"title", "last value"}});
  html.close("figcaption");
  if (!points.empty()) {
    const Axis x = x_axis(points), y = y_axis(points, log);
    html.open("svg", {{"viewBox", fmt::format("0 0 {} {}", kWidth, kHeight)},
                      {"role", "img"},
                      {"aria-label", described(chart, points)}});
    draw_y_ticks(html, chart, y);
    draw_x_ticks(html, x);
    draw_curve(html, points, x, y);
    html.close("svg");
  }
  const std::size_t gaps = chart.points.size() - points.size();
  if (gaps > 0) {
    html.element("p", fmt::format("{} of {} values not finite (NaN or infinite)", gaps, chart.points.size()),
                 {{"class", "warn"}});
  }
  html.close("figure");
}

}  // namespace mgd
