// Charts as inline SVG: no script, colours from the page's style sheet, so they follow its light and dark
// mode.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mgd/report/html.h"

namespace mgd {

// At most about `count` round values (1, 2 or 5 times a power of ten apart) within [low, high]; {low} when
// both are equal.
std::vector<double> nice_ticks(double low, double high, int count);

// Powers of ten, and 2x and 5x of them where fewer than three decades are shown; nice_ticks where not even
// two of those lie within. 0 < low <= high.
std::vector<double> log_ticks(double low, double high);

struct LineChart {
  std::string title;
  std::vector<std::pair<double, double>>
      points;            // (x, y); y that is not finite is a gap, and is counted in the caption
  bool percent = false;  // y is a fraction, shown in per cent
  bool log_y = false;    // used only where every y is positive and of a sane size
};

// From so many points on, a chart shows a moving average over the pale raw curve.
inline constexpr std::size_t kSmoothFrom = 60;

// <figure> with title, last value and the drawing. No points: nothing.
void draw_line_chart(Html& html, const LineChart& chart);

struct DotRow {
  std::string label;
  double value = 0;
  double spread = -1;  // half length of the whisker; below 0: none
  bool emphasised = false;
};

// One row a dot, all on one axis of per cents.
void draw_dot_chart(Html& html, const std::string& title, const std::vector<DotRow>& rows);

// An exponential moving average over about `window` points, without the bias of its start (Kingma & Ba 2015,
// sec. 3).
std::vector<double> moving_average(const std::vector<double>& values, double window);

// Keeps the least and the greatest of every bucket, so that spikes survive: at most `limit` points (at least
// 4).
std::vector<std::pair<double, double>> thin_out(const std::vector<std::pair<double, double>>& points,
                                                std::size_t limit);

}  // namespace mgd
