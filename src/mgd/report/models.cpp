#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "mgd/report/chart.h"
#include "mgd/report/number.h"
#include "mgd/report/sections.h"

namespace mgd {
namespace {

// Explicit roles: on a narrow screen the rows become cards (display: block), and the browser would forget the
// table.
void head(Html& html, bool accuracy) {
  html.open("thead", {{"role", "rowgroup"}}).open("tr", {{"role", "row"}});
  for (const char* name : {"Model", "Parameters", "MACs", "Size on disk", "Latency", "Accuracy"})
    if (accuracy || std::string_view(name) != "Accuracy")
      html.element("th", name, {{"scope", "col"}, {"role", "columnheader"}});
  html.close("tr").close("thead");
}

struct Cell {
  std::string name, text, title;
  const char *less = "less", *more = "more";
  double value = -1, most = 0, reference = 0;  // value <= 0: unknown; reference <= 0: nothing to compare with
};

void bar_cell(Html& html, const Cell& cell) {
  html.open("td", {{"role", "cell"}, {"data-label", cell.name}, {"title", cell.title}});
  if (!(cell.value > 0) || !std::isfinite(cell.value)) {
    html.element("span", "\u2013", {{"class", "none"}}).close("td");
    return;
  }
  html.element("span", cell.text, {{"class", "value"}});
  const double share = cell.most > 0 ? std::clamp(cell.value / cell.most, 0.004, 1.0) : 0;
  html.open("span", {{"class", "bar"}, {"aria-hidden", "true"}});
  html.element("span", "", {{"style", fmt::format("width:{:.1f}%", share * 100)}}).close("span");
  if (cell.reference > 0 && std::isfinite(cell.reference) && cell.reference != cell.value) {
    const double factor = cell.reference / cell.value;
    html.element("span",
                 fmt::format("{}\u00D7 {}", times_text(factor > 1 ? factor : 1 / factor),
                             factor > 1 ? cell.less : cell.more),
                 {{"class", "ratio"}});
  }
  html.close("td");
}

void accuracy_cell(Html& html, const ReportModel& model) {
  html.open("td", {{"role", "cell"}, {"data-label", "Accuracy"}});
  if (!(model.accuracy >= 0)) {
    html.element("span", "\u2013", {{"class", "none"}}).close("td");
    return;
  }
  html.element("span", percent_text(model.accuracy), {{"class", "value"}});
  std::string note;
  if (model.interval.low >= 0)
    note = fmt::format("{:.1f} \u2013 {:.1f} %", 100 * model.interval.low, 100 * model.interval.high);
  if (model.accuracy_spread >= 0) note = fmt::format("\u00B1 {:.2f}", model.accuracy_spread * 100);
  if (model.seeds > 0)
    note += fmt::format("{}{} seed{}", note.empty() ? "" : ", ", model.seeds, model.seeds == 1 ? "" : "s");
  if (!note.empty()) html.element("span", note, {{"class", "ratio"}});
  html.close("td");
}

double most_of(const std::vector<ReportModel>& models, double (*value)(const ReportModel&)) {
  double most = 0;
  for (const auto& model : models) most = std::max(most, value(model));
  return most;
}

struct Column {
  const char *name, *less, *more;
  double (*value)(const ReportModel&);
  std::string (*text)(const ReportModel&);
  std::string (*title)(const ReportModel&);
};

constexpr Column kColumns[] = {
    {"Parameters", "smaller", "larger",
     [](const ReportModel& m) { return static_cast<double>(m.parameters); },
     [](const ReportModel& m) { return count_text(m.parameters); },
     [](const ReportModel& m) { return exact_text(m.parameters) + " parameters"; }},
    {"MACs", "less", "more", [](const ReportModel& m) { return static_cast<double>(m.macs); },
     [](const ReportModel& m) { return count_text(m.macs); },
     [](const ReportModel& m) { return exact_text(m.macs) + " multiply-accumulates of one sample"; }},
    {"Size on disk", "smaller", "larger", [](const ReportModel& m) { return static_cast<double>(m.bytes); },
     [](const ReportModel& m) { return bytes_text(m.bytes); },
     [](const ReportModel& m) { return exact_text(m.bytes) + " bytes"; }},
    {"Latency", "faster", "slower", [](const ReportModel& m) { return m.latency_ms; },
     [](const ReportModel& m) { return ms_text(m.latency_ms); },
     [](const ReportModel&) { return std::string("median, one sample at a time"); }},
};

void row(Html& html, const ReportData& data, const ReportModel& model, bool accuracy) {
  const ReportModel* reference = reference_of(data);
  const bool is_subject = &model == subject_of(data) && data.models.size() > 1;
  html.open("tr", {{"role", "row"}, {"class", is_subject ? "subject" : "other"}});
  html.open("th", {{"scope", "row"}, {"role", "rowheader"}});
  html.element("span", model.role, {{"class", "role"}});
  html.element("span", model.architecture, {{"class", "architecture"}}).close("th");
  for (const Column& column : kColumns) {
    bar_cell(html,
             {.name = column.name,
              .text = column.text(model),
              .title = column.value(model) > 0 && std::isfinite(column.value(model)) ? column.title(model)
                                                                                     : "not measured",
              .less = column.less,
              .more = column.more,
              .value = column.value(model),
              .most = most_of(data.models, column.value),
              .reference = reference == nullptr ? 0 : column.value(*reference)});
  }
  if (accuracy) accuracy_cell(html, model);
  html.close("tr");
}

// The spread over seeds where there are several, else what the number of pictures leaves open.
double whisker_of(const ReportModel& model) {
  if (model.accuracy_spread >= 0 || model.interval.low < 0) return model.accuracy_spread;
  return (model.interval.high - model.interval.low) / 2;
}

}  // namespace

void render_models(Html& html, const ReportData& data) {
  html.open("div", {{"class", "card"}}).open("table", {{"class", "models"}, {"role", "table"}});
  // Of models that are no classifiers, and where nobody says what is right, nobody knows it.
  const bool accuracy = std::any_of(data.models.begin(), data.models.end(),
                                    [](const ReportModel& model) { return model.accuracy >= 0; });
  head(html, accuracy);
  html.open("tbody", {{"role", "rowgroup"}});
  for (const ReportModel& model : data.models) row(html, data, model, accuracy);
  html.close("tbody").close("table");
  if (!data.latency_note.empty()) html.element("p", data.latency_note, {{"class", "note"}});
  std::vector<DotRow> dots;
  for (const ReportModel& model : data.models) {
    if (!(model.accuracy >= 0)) continue;
    dots.push_back({model.role, model.accuracy, whisker_of(model), &model == subject_of(data)});
  }
  if (dots.size() > 1) draw_dot_chart(html, "Accuracy", dots);
  html.close("div");
}

}  // namespace mgd
