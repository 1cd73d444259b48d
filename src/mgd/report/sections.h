// The parts of the page, in the order in which they stand on it.
#pragma once

#include <string>
#include <vector>

#include "mgd/report/html.h"
#include "mgd/report/report.h"

namespace mgd {

struct Section {
  std::string id, title;
  bool (*present)(const ReportData& data);  // false: the section and its link are left out
  void (*render)(Html& html, const ReportData& data);
};

const std::vector<Section>& report_sections();
std::string title_of(const Section& section,
                     const ReportData& data);  // findings have a title of the page's own

void render_header(Html& html, const ReportData& data);  // title, key figures, links to the sections
std::string report_style();                              // the style sheet

void render_findings(Html& html, const ReportData& data);
void render_models(Html& html, const ReportData& data);
void render_tables(Html& html, const ReportData& data);
void render_curves(Html& html, const ReportData& data);
void render_confusion(Html& html, const ReportData& data);
void render_mistakes(Html& html, const ReportData& data);
void render_illustrations(Html& html, const ReportData& data);
void render_gaps(Html& html, const ReportData& data);
void render_continuations(Html& html, const ReportData& data);
void render_masks(Html& html, const ReportData& data);
void render_attention(Html& html, const ReportData& data);
void render_details(Html& html, const ReportData& data);

// The model that the page is about and the one it is compared with; null when there is none.
const ReportModel* subject_of(
    const ReportData& data);  // "this student", otherwise the last that is not a teacher
const ReportModel* reference_of(const ReportData& data);  // "teacher"

// <img> with the picture inside the page. An image without pixels gives a box that says so.
void draw_picture(Html& html, const Image& image, const std::string& alt);

}  // namespace mgd
