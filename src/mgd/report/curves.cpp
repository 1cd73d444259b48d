#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "mgd/core/error.h"
#include "mgd/report/chart.h"
#include "mgd/report/sections.h"

namespace mgd {
namespace {

using Json = nlohmann::ordered_json;

// Counters and clocks: true in every run, and a straight line in each.
const std::set<std::string>& not_worth_drawing() {
  static const std::set<std::string> names = {"step", "epoch",     "samples", "seconds", "time",
                                              "eta",  "timestamp", "seed",    "wall",    "elapsed"};
  return names;
}

bool is_share(const std::string& name) {
  return name.starts_with("grad_share");
}

bool is_fraction(const std::string& name) {
  return name.ends_with("accuracy") || name.ends_with("top5") || name.ends_with("top1") ||
         name.ends_with("agreement") || is_share(name);
}

ReportCurve& curve_named(std::vector<ReportCurve>& curves, const std::string& name) {
  const auto found =
      std::find_if(curves.begin(), curves.end(), [&](const auto& c) { return c.name == name; });
  if (found != curves.end()) return *found;
  curves.push_back({name, {}});
  return curves.back();
}

// A resumed run writes its steps again: what the interrupted one wrote beyond that point no longer counts.
void add_point(ReportCurve& curve, double step, double value) {
  while (!curve.points.empty() && curve.points.back().first >= step) curve.points.pop_back();
  curve.points.emplace_back(step, value);
}

void add_row(std::vector<ReportCurve>& curves, const Json& row) {
  const auto step = row.find("step");
  if (step == row.end() || !step->is_number()) return;
  for (const auto& [name, value] : row.items()) {
    if (not_worth_drawing().contains(name)) continue;
    // JSON has no NaN: writers put null in its place.
    if (value.is_null())
      add_point(curve_named(curves, name), step->get<double>(), std::numeric_limits<double>::quiet_NaN());
    if (value.is_number()) add_point(curve_named(curves, name), step->get<double>(), value.get<double>());
  }
}

bool is_logarithmic(const std::string& name) {
  return name.starts_with("loss") || name.ends_with("loss") || is_share(name);
}

int group_of(const std::string& name) {
  if (name == "loss") return 0;
  if (name.starts_with("loss")) return 1;
  if (is_share(name)) return 2;
  if (name.starts_with("eval/accuracy")) return 3;
  if (name.starts_with("eval")) return 4;
  return name == "lr" ? 5 : 6;
}

}  // namespace

std::vector<ReportCurve> read_curves(const std::string& metrics_jsonl) {
  std::vector<ReportCurve> curves;
  std::size_t begin = 0;
  for (std::size_t line = 1; begin < metrics_jsonl.size(); ++line) {
    const std::size_t end = metrics_jsonl.find('\n', begin);
    const std::string text = metrics_jsonl.substr(begin, end == std::string::npos ? end : end - begin);
    begin = end == std::string::npos ? metrics_jsonl.size() : end + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json row = Json::parse(text, nullptr, false);
    if (row.is_object()) {
      add_row(curves, row);
    } else if (begin < metrics_jsonl.size()) {  // the last line may be half-written: the run was killed
      fail(ExitCode::bad_data, "metrics: line {}: got '{}', expected a JSON object", line,
           text.substr(0, 60));
    }
  }
  return curves;
}

void render_curves(Html& html, const ReportData& data) {
  std::vector<const ReportCurve*> order;
  for (const ReportCurve& curve : data.curves) order.push_back(&curve);
  std::stable_sort(order.begin(), order.end(),
                   [](auto* a, auto* b) { return group_of(a->name) < group_of(b->name); });
  bool smoothed = false;
  html.open("div", {{"class", "charts"}});
  for (const ReportCurve* curve : order) {
    smoothed = smoothed || curve->points.size() > kSmoothFrom;
    draw_line_chart(html, {.title = curve->name,
                           .points = curve->points,
                           .percent = is_fraction(curve->name),
                           .log_y = is_logarithmic(curve->name)});
  }
  html.close("div");
  std::string note = "Over steps of the optimizer. ";
  if (smoothed) note += "Pale: as logged; strong: moving average. ";
  note += "Losses on a logarithmic axis.";
  if (std::any_of(order.begin(), order.end(), [](auto* curve) { return is_share(curve->name); }))
    note +=
        " grad_share: the norm of a loss's gradient at the student's parameters, over the sum of those "
        "of "
        "all losses; on a logarithmic axis too.";
  html.element("p", note, {{"class", "note"}});
}

}  // namespace mgd
