#include "mgd/data/label_column.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>
#include <string_view>

#include "mgd/core/error.h"
#include "mgd/data/dataset.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

constexpr std::array<std::string_view, 9> kNames = {"label", "labels",   "class", "classes", "target",
                                                    "y",     "category", "digit", "class_id"};

std::string small(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

LabelColumn named(const NumberTable& table, std::int64_t column) {
  const std::string& name = table.header[static_cast<std::size_t>(column)];
  const char* place = column == 0 ? ", the first" : column + 1 == table.columns ? ", the last" : "";
  return {column, fmt::format("the label is the column '{}'{}", printable(name), place)};
}

LabelColumn by_asking(const NumberTable& table, const std::string& asked, const std::string& path) {
  const auto at = std::find(table.header.begin(), table.header.end(), asked);
  if (at != table.header.end()) return named(table, at - table.header.begin());
  if (asked == "first") return {0, "the label is the first column, as asked for"};
  if (asked == "last") return {table.columns - 1, "the label is the last column, as asked for"};
  fail(ExitCode::missing_input, "{}: data.label_column: no column '{}'{}", path, asked,
       table.header.empty() ? "; the table has no header: give first or last"
                            : suggestion(asked, table.header));
}

// The values of a column that could be labels; empty for one that cannot: a value that is no whole number of
// a class, the same value in all rows, or another one in most of them.
std::set<double> label_values(const NumberTable& table, std::int64_t column) {
  std::set<double> values;
  for (std::int64_t r = 0; r < table.rows; ++r) {
    const double value = table.at(r, column);
    if (value < 0 || value >= static_cast<double>(kMaxClasses) || value != std::floor(value)) return {};
    values.insert(value);
  }
  if (values.size() < 2 || 2 * static_cast<std::int64_t>(values.size()) > table.rows) return {};
  return values;
}

// 0 ... K - 1 or 1 ... K, as classes are numbered.
bool is_numbering(const std::set<double>& values) {
  return !values.empty() && *values.begin() <= 1 &&
         *values.rbegin() - *values.begin() == static_cast<double>(values.size() - 1);
}

// Whether the first of two columns is the label by what both hold, and the second is not.
bool beats(const std::set<double>& a, const std::set<double>& b) {
  if (a.empty() || b.empty()) return b.empty() && !a.empty();
  return is_numbering(a) && !is_numbering(b) && a.size() < b.size();
}

}  // namespace

LabelColumn find_label_column(const NumberTable& table, const std::string& asked, const std::string& path) {
  if (!asked.empty()) return by_asking(table, asked, path);
  std::vector<std::int64_t> found;
  for (std::size_t c = 0; c < table.header.size(); ++c)
    if (std::find(kNames.begin(), kNames.end(), small(table.header[c])) != kNames.end())
      found.push_back(static_cast<std::int64_t>(c));
  if (found.size() == 1) return named(table, found[0]);
  if (found.size() > 1)
    fail(ExitCode::usage, "{}: '{}' and '{}' could both be the label; choose with data.label_column", path,
         printable(table.header[static_cast<std::size_t>(found[0])]),
         printable(table.header[static_cast<std::size_t>(found[1])]));
  const auto first = label_values(table, 0), last = label_values(table, table.columns - 1);
  const bool is_first = beats(first, last);
  if (is_first || beats(last, first))
    return {is_first ? 0 : table.columns - 1,
            fmt::format("the label is the {} column, by what it holds (data.label_column)",
                        is_first ? "first" : "last")};
  fail(ExitCode::usage,
       "{}: {}; data.label_column=first or data.label_column=last says which holds the labels{}", path,
       first.empty() ? "neither the first nor the last column looks like labels"
                     : "both the first and the last column could be labels",
       table.header.empty() ? "" : ", or the name of another column");
}

}  // namespace mgd
