#include "mgd/report/report.h"

#include "mgd/report/html.h"
#include "mgd/report/sections.h"

namespace mgd {

const std::vector<Section>& report_sections() {
  static const std::vector<Section> sections = {
      {"findings", "Findings", [](auto& d) { return !d.findings.empty(); }, render_findings},
      {"models", "Models", [](auto& d) { return !d.models.empty(); }, render_models},
      {"tables", "Comparisons", [](auto& d) { return !d.tables.empty(); }, render_tables},
      {"gaps", "Gaps filled", [](auto& d) { return !d.gaps.empty(); }, render_gaps},
      {"continuations", "Sentences continued", [](auto& d) { return !d.continuations.empty(); },
       render_continuations},
      {"curves", "Training", [](auto& d) { return !d.curves.empty(); }, render_curves},
      {"confusion", "Confusion", [](auto& d) { return !d.confusion.empty(); }, render_confusion},
      {"mistakes", "Worst mistakes", [](auto& d) { return !d.mistakes.empty(); }, render_mistakes},
      {"maps", "What distillation sees", [](auto& d) { return !d.illustrations.empty(); },
       render_illustrations},
      {"masks", "Who may look at whom", [](auto& d) { return !d.masks.empty(); }, render_masks},
      {"attention", "Who looks at whom", [](auto& d) { return !d.attention.empty(); }, render_attention},
      {"details", "Details",
       [](auto& d) {
         return !(d.config_yaml.empty() && d.environment_json.empty() && d.data_report_json.empty());
       },
       render_details},
  };
  return sections;
}

std::string title_of(const Section& section, const ReportData& data) {
  return section.id == "findings" ? data.findings_title : section.title;
}

std::string render_report(const ReportData& data) {
  Html html;
  html.raw("<!DOCTYPE html>\n").open("html", {{"lang", "en"}}).open("head");
  html.empty("meta", {{"charset", "utf-8"}});
  html.empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  html.empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
  // The browser itself then refuses whatever would leave the page, should an escape ever fail.
  html.empty("meta", {{"http-equiv", "Content-Security-Policy"},
                      {"content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'"}});
  html.empty("link", {{"rel", "icon"}, {"href", "data:,"}});  // or the browser asks for favicon.ico
  html.element("title", data.title.empty() ? "Report" : data.title);
  html.open("style").raw(report_style()).close("style").close("head");
  html.open("body");
  render_header(html, data);
  html.open("main");
  for (const Section& section : report_sections()) {
    if (!section.present(data)) continue;
    html.open("section", {{"id", section.id}, {"aria-labelledby", section.id + "-title"}});
    html.element("h2", title_of(section, data), {{"id", section.id + "-title"}});
    section.render(html, data);
    html.close("section");
  }
  html.close("main");
  html.element("footer",
               "Made by mgd. This page is complete in itself: it loads nothing and runs no script.");
  html.close("body").close("html");
  return html.take();
}

}  // namespace mgd
