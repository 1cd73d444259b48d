#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "mgd/report/number.h"
#include "mgd/report/sections.h"
#include "mgd/text/utf8.h"

namespace mgd {
namespace {

constexpr std::size_t kMaxLabel = 11;                // characters
constexpr double kCell = 12, kGap = 1;               // of the drawing, in its own units
constexpr double kCharacter = 5.4, kLabelSpace = 5;  // at a font size of 9.5
constexpr int kShades = 10;

std::string short_label(const std::string& text) {
  const std::string valid = valid_utf8(text);
  if (count_code_points(valid) <= kMaxLabel) return valid;
  std::size_t end = 0;
  for (std::size_t i = 0; i + 1 < kMaxLabel; ++i) next_code_point(valid, end);
  return valid.substr(0, end) + "\u2026";
}

double label_width(const std::vector<std::string>& labels) {
  std::size_t longest = 1;
  for (const auto& label : labels) longest = std::max(longest, count_code_points(short_label(label)));
  return kCharacter * static_cast<double>(longest) + kLabelSpace;
}

std::string cell_path(double left, double top, std::int64_t x, std::int64_t y) {
  const double side = kCell - kGap;
  return fmt::format("M{} {}h{}v{}h-{}z", coordinate_text(left + kCell * static_cast<double>(x)),
                     coordinate_text(top + kCell * static_cast<double>(y)), side, side, side);
}

// One path a shade: a rectangle a cell would be ten times the bytes.
void draw_cells(Html& html, const ReportMap& map, double most, double left, double top) {
  std::array<std::string, kShades + 1> shades;
  std::string hidden;
  for (std::int64_t y = 0; y < map.height; ++y)
    for (std::int64_t x = 0; x < map.width; ++x) {
      const double value = map.values[static_cast<std::size_t>(y * map.width + x)];
      const std::string cell = cell_path(left, top, x, y);
      if (std::isnan(value))
        hidden += cell;
      else
        shades[static_cast<std::size_t>(
            std::lround(kShades * std::clamp(most > 0 ? value / most : 0, 0.0, 1.0)))] += cell;
    }
  if (!hidden.empty()) html.empty("path", {{"class", "hidden"}, {"d", hidden}});
  if (!shades[0].empty()) html.empty("path", {{"class", "blank"}, {"d", shades[0]}});
  for (std::size_t s = 1; s < shades.size(); ++s)
    if (!shades[s].empty())
      html.empty("path", {{"class", "seen"},
                          {"fill-opacity", fmt::format("{:.2f}", static_cast<double>(s) / kShades)},
                          {"d", shades[s]}});
}

void draw_labels(Html& html, const ReportAttention& attention, double left, double top) {
  for (std::size_t y = 0; y < attention.rows.size(); ++y)
    html.element("text", short_label(attention.rows[y]),
                 {{"x", coordinate_text(left - 4)},
                  {"y", coordinate_text(top + kCell * static_cast<double>(y) + 9)},
                  {"class", "end"}});
  for (std::size_t x = 0; x < attention.columns.size(); ++x)
    html.element(
        "text", short_label(attention.columns[x]),
        {{"transform", fmt::format("translate({} {}) rotate(-90)",
                                   coordinate_text(left + kCell * static_cast<double>(x) + 9), top - 4)}});
}

void draw_map(Html& html, const ReportAttention& attention, const ReportMap& map, double most) {
  html.open("figure");
  if (!map.title.empty())
    html.open("figcaption").element("span", map.title, {{"class", "name"}}).close("figcaption");
  const bool fits = map.height == static_cast<std::int64_t>(attention.rows.size()) &&
                    map.width == static_cast<std::int64_t>(attention.columns.size()) &&
                    map.values.size() == static_cast<std::size_t>(map.height * map.width) &&
                    !map.values.empty();
  if (!fits) {
    html.element("span", "no picture", {{"class", "picture missing"}}).close("figure");
    return;
  }
  const double left = label_width(attention.rows), top = label_width(attention.columns);
  html.open(
      "svg",
      {{"viewBox", fmt::format("0 0 {} {}", coordinate_text(left + kCell * static_cast<double>(map.width)),
                               coordinate_text(top + kCell * static_cast<double>(map.height)))},
       {"role", "img"},
       {"aria-label",
        fmt::format("{}, {}: {} tokens look at {}", attention.title, map.title, map.height, map.width)}});
  draw_labels(html, attention, left, top);
  draw_cells(html, map, most, left, top);
  html.close("svg").close("figure");
}

double greatest(const ReportAttention& attention) {
  double most = 0;
  for (const ReportMap& map : attention.maps)
    for (const float value : map.values)
      if (std::isfinite(value)) most = std::max(most, static_cast<double>(value));
  return most;
}

void draw_card(Html& html, const ReportAttention& attention) {
  html.open("div", {{"class", "card"}}).element("h3", attention.title);
  html.open("div", {{"class", "heads"}});
  for (const ReportMap& map : attention.maps) draw_map(html, attention, map, greatest(attention));
  html.close("div");
  if (!attention.note.empty()) html.element("p", attention.note, {{"class", "note"}});
  html.close("div");
}

void legend(Html& html, const std::string& text, const std::string& seen) {
  html.open("p", {{"class", "note"}}).text(text);
  html.close("p").open("p", {{"class", "note legends"}});
  html.element("span", "", {{"class", "legend seen"}}).text(seen);
  html.element("span", "", {{"class", "legend hidden"}}).text("hidden by the mask").close("p");
}

}  // namespace

void render_masks(Html& html, const ReportData& data) {
  legend(html, "Each row is a token, and its cells are the tokens that it may look at.", "may be seen");
  html.open("div", {{"class", "masks"}});
  for (const ReportAttention& mask : data.masks) draw_card(html, mask);
  html.close("div");
}

void render_attention(Html& html, const ReportData& data) {
  legend(html,
         "How each head of each layer spreads its attention over one text: a row adds up to 100 %, and the "
         "strongest colour is the greatest share of its layer.",
         "much attention");
  for (const ReportAttention& layer : data.attention) draw_card(html, layer);
}

}  // namespace mgd
