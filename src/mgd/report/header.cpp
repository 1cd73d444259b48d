#include <fmt/core.h>

#include <cmath>

#include "mgd/report/number.h"
#include "mgd/report/sections.h"

namespace mgd {
namespace {

void tile(Html& html, const std::string& value, const std::string& name, const std::string& note) {
  html.open("div", {{"class", "tile"}}).element("dt", name).element("dd", value);
  if (!note.empty()) html.element("dd", note, {{"class", "note"}});
  html.close("div");
}

std::string smaller(std::int64_t reference, std::int64_t subject) {
  const double factor = static_cast<double>(reference) / static_cast<double>(subject);
  return factor >= 1 ? times_text(factor) + "\u00D7 smaller" : times_text(1 / factor) + "\u00D7 larger";
}

void count_tile(Html& html, const std::string& name, std::int64_t subject, const std::int64_t* reference,
                std::string (*text)(std::int64_t)) {
  if (subject <= 0) return;
  if (reference == nullptr || *reference <= 0) return tile(html, text(subject), name, "");
  tile(html, smaller(*reference, subject), name,
       fmt::format("{} \u2192 {}", text(*reference), text(subject)));
}

void accuracy_tile(Html& html, const ReportModel& subject, const ReportModel* reference) {
  if (!(subject.accuracy >= 0)) return;
  std::string note;
  if (subject.interval.low >= 0)
    note = fmt::format("{:.1f} \u2013 {:.1f} %", 100 * subject.interval.low, 100 * subject.interval.high);
  if (reference != nullptr && reference->accuracy >= 0)
    note += (note.empty() ? "" : "; ") + ("teacher " + percent_text(reference->accuracy));
  tile(html, percent_text(subject.accuracy), "Accuracy", note);
}

void latency_tile(Html& html, const ReportModel& subject, const ReportModel* reference) {
  if (!(subject.latency_ms > 0) || !std::isfinite(subject.latency_ms)) return;
  if (reference == nullptr || reference->latency_ms <= 0) {
    return tile(html, ms_text(subject.latency_ms), "Latency, one sample", "");
  }
  const double factor = reference->latency_ms / subject.latency_ms;
  const std::string text =
      factor >= 1 ? times_text(factor) + "\u00D7 faster" : times_text(1 / factor) + "\u00D7 slower";
  tile(html, text, "Latency, one sample",
       fmt::format("{} \u2192 {}", ms_text(reference->latency_ms), ms_text(subject.latency_ms)));
}

void render_tiles(Html& html, const ReportData& data) {
  if (!data.tiles.empty()) {
    html.open("dl", {{"class", "tiles"}});
    for (const ReportTile& given : data.tiles) tile(html, given.value, given.name, given.note);
    html.close("dl");
    return;
  }
  const ReportModel* subject = subject_of(data);
  if (subject == nullptr) return;
  const ReportModel* reference = reference_of(data);
  html.open("dl", {{"class", "tiles"}});
  accuracy_tile(html, *subject, reference);
  count_tile(html, "Parameters", subject->parameters, reference ? &reference->parameters : nullptr,
             count_text);
  count_tile(html, "Multiply-accumulates", subject->macs, reference ? &reference->macs : nullptr, count_text);
  count_tile(html, "Size on disk", subject->bytes, reference ? &reference->bytes : nullptr, bytes_text);
  latency_tile(html, *subject, reference);
  html.close("dl");
}

}  // namespace

const ReportModel* reference_of(const ReportData& data) {
  if (data.models.size() < 2) return nullptr;
  for (const ReportModel& model : data.models) {
    if (model.role.starts_with("teacher")) return &model;
  }
  return nullptr;
}

const ReportModel* subject_of(const ReportData& data) {
  for (const ReportModel& model : data.models) {
    if (model.role.starts_with("this")) return &model;
  }
  for (auto model = data.models.rbegin(); model != data.models.rend(); ++model) {
    if (&*model != reference_of(data)) return &*model;
  }
  return nullptr;
}

void render_header(Html& html, const ReportData& data) {
  html.open("header");
  html.element("h1", data.title.empty() ? "Report" : data.title);
  if (!data.subtitle.empty()) html.element("p", data.subtitle, {{"class", "subtitle"}});
  render_tiles(html, data);
  html.open("nav", {{"aria-label", "Sections"}});
  for (const Section& section : report_sections()) {
    if (section.present(data)) html.element("a", title_of(section, data), {{"href", "#" + section.id}});
  }
  html.close("nav").close("header");
}

}  // namespace mgd
