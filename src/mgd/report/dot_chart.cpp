#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "mgd/report/chart.h"
#include "mgd/report/number.h"

namespace mgd {
namespace {

constexpr double kWidth = 480, kLabelWidth = 150, kRight = 66, kRowHeight = 27, kAxisHeight = 26;

struct Scale {
  double low, high;
  double place(double v) const {
    return kLabelWidth + (v - low) / (high - low) * (kWidth - kLabelWidth - kRight);
  }
};

Scale scale_of(const std::vector<DotRow>& rows) {
  double low = rows.front().value, high = low;
  for (const auto& row : rows) {
    low = std::min(low, row.value - std::max(0.0, row.spread));
    high = std::max(high, row.value + std::max(0.0, row.spread));
  }
  const double air = std::max((high - low) * 0.12, 0.002);
  return {std::max(low - air, std::min(low, 0.0)), std::min(high + air, std::max(high, 1.0))};
}

// Long names are cut at a character's start; the whole name stands in the table above.
std::string cut(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t at = bytes;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return text.substr(0, at) + "\xE2\x80\xA6";
}

void draw_row(Html& html, const DotRow& row, const Scale& scale, double y) {
  const std::string at = coordinate_text(scale.place(row.value)), cls = row.emphasised ? "strong" : "plain";
  html.element("text", cut(row.label, 20),
               {{"x", coordinate_text(kLabelWidth - 14)},
                {"y", coordinate_text(y + 4)},
                {"class", "end label " + cls}});
  html.empty("path", {{"class", "grid"}, {"d", fmt::format("M{} {}H{}", kLabelWidth, y, kWidth - kRight)}});
  if (row.spread > 0) {
    const std::string low = coordinate_text(scale.place(row.value - row.spread));
    const std::string high = coordinate_text(scale.place(row.value + row.spread));
    html.empty("path", {{"class", "whisker " + cls},
                        {"d", fmt::format("M{0} {1}H{2}M{0} {3}v8M{2} {3}v8", low, y, high, y - 4)}});
  }
  html.empty("circle", {{"class", "mark " + cls}, {"cx", at}, {"cy", coordinate_text(y)}, {"r", "5.5"}});
  html.element(
      "text", percent_text(row.value),
      {{"x", coordinate_text(kWidth)}, {"y", coordinate_text(y + 4)}, {"class", "end label " + cls}});
}

}  // namespace

void draw_dot_chart(Html& html, const std::string& title, const std::vector<DotRow>& rows) {
  if (rows.empty()) return;
  const Scale scale = scale_of(rows);
  const double bottom = static_cast<double>(rows.size()) * kRowHeight, height = bottom + kAxisHeight;
  std::string description = title + ":";
  for (const auto& row : rows) description += fmt::format(" {} {};", row.label, percent_text(row.value));
  html.open("figure", {{"class", "dots"}}).element("figcaption", title);
  html.open(
      "svg",
      {{"viewBox", fmt::format("0 0 {} {}", kWidth, height)}, {"role", "img"}, {"aria-label", description}});
  const auto ticks = nice_ticks(scale.low * 100, scale.high * 100, 6);
  for (double tick : ticks) {
    const std::string at = coordinate_text(scale.place(tick / 100));
    html.empty("path", {{"class", "grid"}, {"d", fmt::format("M{} 0V{}", at, bottom)}});
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
    html.element("text", tick_text(tick, step, 100) + "%",
                 {{"x", at}, {"y", coordinate_text(bottom + 18)}, {"class", "mid"}});
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    draw_row(html, rows[i], scale, (static_cast<double>(i) + 0.5) * kRowHeight);
  }
  html.close("svg").close("figure");
}

}  // namespace mgd
