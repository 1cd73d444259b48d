#include <algorithm>

#include "mgd/report/number.h"
#include "mgd/report/sections.h"

namespace mgd {
namespace {

// "91.2 %", "-3", "0.91 +- 0.02": such a cell is set to the right, so that digits stand below digits.
bool is_numeric(const std::string& text) {
  const std::size_t first = text.find_first_not_of("+-\u2212 ");
  return first != std::string::npos && text[first] >= '0' && text[first] <= '9';
}

bool numeric_column(const ReportTable& table, std::size_t column) {
  return std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
    return column >= row.size() || row[column].empty() || row[column] == "-" || is_numeric(row[column]);
  });
}

void render_table(Html& html, const ReportTable& table) {
  std::size_t width = table.header.size();
  for (const auto& row : table.rows) width = std::max(width, row.size());
  std::vector<HtmlAttributes> style(width);
  for (std::size_t c = 0; c < width; ++c) {
    if (c > 0 && numeric_column(table, c)) style[c] = {{"class", "num"}};
  }
  html.open("div", {{"class", "card"}});
  html.open("div", {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", table.title}});
  html.open("table", {{"class", "plain"}}).element("caption", table.title);
  if (!table.header.empty()) {
    html.open("thead").open("tr");
    for (std::size_t c = 0; c < width; ++c) {
      HtmlAttributes attributes = style[c];
      attributes.push_back({"scope", "col"});
      html.element("th", c < table.header.size() ? table.header[c] : "", attributes);
    }
    html.close("tr").close("thead");
  }
  html.open("tbody");
  for (const auto& row : table.rows) {
    html.open("tr");
    if (!row.empty()) html.element("th", row.front(), {{"scope", "row"}});
    for (std::size_t c = 1; c < width; ++c) html.element("td", c < row.size() ? row[c] : "", style[c]);
    html.close("tr");
  }
  html.close("tbody").close("table").close("div");
  if (!table.note.empty()) html.element("p", table.note, {{"class", "note"}});
  html.close("div");
}

}  // namespace

void render_findings(Html& html, const ReportData& data) {
  html.open("ul", {{"class", "card findings"}});
  for (const std::string& finding : data.findings) html.element("li", finding);
  html.close("ul");
  for (const ReportTable& table : data.finding_tables) render_table(html, table);
}

void render_tables(Html& html, const ReportData& data) {
  for (const ReportTable& table : data.tables) render_table(html, table);
}

}  // namespace mgd
