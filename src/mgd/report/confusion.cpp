#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "mgd/report/number.h"
#include "mgd/report/sections.h"

namespace mgd {
namespace {

constexpr std::size_t kMaxTable = 20;  // classes; above, a table is neither readable nor useful
constexpr std::size_t kMaxPairs = 15, kPairsBesideTable = 8;

using Matrix = std::vector<std::vector<std::int64_t>>;

std::string class_name(const ReportData& data, std::size_t k) {
  return k < data.class_names.size() ? data.class_names[k] : fmt::format("class {}", k);
}

std::int64_t cell_of(const Matrix& m, std::size_t i, std::size_t j) {
  return j < m[i].size() ? m[i][j] : 0;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

struct Sums {
  std::vector<std::int64_t> row, column;
  double worst = 0;  // greatest share of a class that goes to one wrong class
};

Sums sums_of(const Matrix& m) {
  Sums sums{std::vector<std::int64_t>(m.size()), std::vector<std::int64_t>(m.size()), 0};
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t j = 0; j < m.size(); ++j) {
      sums.row[i] += cell_of(m, i, j);
      sums.column[j] += cell_of(m, i, j);
    }
  }
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t j = 0; j < m.size(); ++j) {
      if (i != j) sums.worst = std::max(sums.worst, share(cell_of(m, i, j), sums.row[i]));
    }
  }
  return sums;
}

// Hits are coloured by their share of the class; mistakes, far rarer, by their share of the most frequent
// mistake.
void heat_cell(Html& html, const ReportData& data, const Sums& sums, std::size_t i, std::size_t j) {
  const std::int64_t count = cell_of(data.confusion, i, j);
  const double of_class = share(count, sums.row[i]);
  const double heat = i == j ? of_class * 0.85 : sums.worst > 0 ? std::sqrt(of_class / sums.worst) * 0.85 : 0;
  const std::string title =
      fmt::format("{} {} {}: {} of {}", class_name(data, i), i == j ? "recognised as" : "taken for",
                  class_name(data, j), count, sums.row[i]);
  const std::string kind = i == j ? "hit" : "miss";
  html.element(
      "td", count == 0 ? "\u00B7" : fmt::format("{}", count),
      {{"class", count == 0 ? "zero" : kind}, {"style", fmt::format("--v:{:.2f}", heat)}, {"title", title}});
}

void render_matrix(Html& html, const ReportData& data) {
  const std::size_t n = data.confusion.size();
  const Sums sums = sums_of(data.confusion);
  html.open("div",
            {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Confusion matrix"}});
  html.open("table", {{"class", "heat"}}).element("caption", "Rows: true class. Columns: the answer.");
  html.open("thead").open("tr").element("td", "");
  for (std::size_t j = 0; j < n; ++j) {
    html.open("th", {{"scope", "col"}}).element("span", class_name(data, j)).close("th");
  }
  html.open("th", {{"scope", "col"}, {"class", "sum"}}).element("span", "recall").close("th");
  html.close("tr").close("thead").open("tbody");
  for (std::size_t i = 0; i < n; ++i) {
    html.open("tr").element("th", class_name(data, i), {{"scope", "row"}, {"title", class_name(data, i)}});
    for (std::size_t j = 0; j < n; ++j) heat_cell(html, data, sums, i, j);
    const bool known = sums.row[i] > 0;
    html.element(
        "td",
        known ? fmt::format("{:.1f}%", 100 * share(cell_of(data.confusion, i, i), sums.row[i])) : "\u2013",
        {{"class", "sum"}});
    html.close("tr");
  }
  html.open("tr").element("th", "precision", {{"scope", "row"}, {"class", "sum"}});
  for (std::size_t j = 0; j < n; ++j) {
    const bool known = sums.column[j] > 0;
    html.element(
        "td",
        known ? fmt::format("{:.0f}%", 100 * share(cell_of(data.confusion, j, j), sums.column[j])) : "\u2013",
        {{"class", "sum"}});
  }
  html.element("td", "").close("tr").close("tbody").close("table").close("div");
}

void render_pairs(Html& html, const ReportData& data, std::size_t limit) {
  struct Pair {
    std::int64_t count;
    std::size_t label, answer;
  };
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < data.confusion.size(); ++i) {
    for (std::size_t j = 0; j < data.confusion[i].size(); ++j) {
      if (i != j && data.confusion[i][j] > 0) pairs.push_back({data.confusion[i][j], i, j});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  if (pairs.size() > limit) pairs.resize(limit);
  if (pairs.empty()) {
    html.element("p", "No confusion: every answer is right.");
    return;
  }
  const Sums sums = sums_of(data.confusion);
  html.open("div", {{"class", "scroll pairs"},
                    {"tabindex", "0"},
                    {"role", "region"},
                    {"aria-label", "Frequent confusions"}});
  html.open("table", {{"class", "plain"}});
  html.element("caption", fmt::format("Most frequent confusions among {} classes", data.confusion.size()));
  html.open("thead").open("tr");
  html.element("th", "True class", {{"scope", "col"}}).element("th", "Taken for", {{"scope", "col"}});
  html.element("th", "Count", {{"scope", "col"}, {"class", "num"}});
  html.element("th", "Of the class", {{"scope", "col"}, {"class", "num"}})
      .close("tr")
      .close("thead")
      .open("tbody");
  for (const Pair& pair : pairs) {
    html.open("tr").element("th", class_name(data, pair.label), {{"scope", "row"}});
    html.element("td", class_name(data, pair.answer))
        .element("td", exact_text(pair.count), {{"class", "num"}});
    html.element("td", fmt::format("{:.1f} %", 100 * share(pair.count, sums.row[pair.label])),
                 {{"class", "num"}});
    html.close("tr");
  }
  html.close("tbody").close("table").close("div");
}

}  // namespace

void render_confusion(Html& html, const ReportData& data) {
  const bool small = data.confusion.size() <= kMaxTable;
  html.open("div", {{"class", "card confusion"}});
  if (small) render_matrix(html, data);
  render_pairs(html, data, small ? kPairsBesideTable : kMaxPairs);
  html.close("div");
}

}  // namespace mgd
