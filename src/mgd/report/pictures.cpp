#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "mgd/report/base64.h"
#include "mgd/report/colormap.h"
#include "mgd/report/number.h"
#include "mgd/report/sections.h"

namespace mgd {
namespace {

void answer(Html& html, const std::string& who, const std::string& what, double score, bool right) {
  html.open("div", {{"class", right ? "answer right" : "answer wrong"}});
  html.element("span", who, {{"class", "who"}});
  html.element("span", what, {{"class", "what"}, {"title", what}});
  html.element("span", whole_percent_text(score), {{"class", "score"}});
  html.open("span", {{"class", "bar"}, {"aria-hidden", "true"}});
  html.element("span", "",
               {{"style", fmt::format("width:{:.0f}%",
                                      std::isfinite(score) ? std::clamp(score, 0.0, 1.0) * 100 : 0.0)}});
  html.close("span").close("div");
}

bool is_mask(const ReportMap& map) {
  return map.title == "mask";
}

// Maps that are to be compared share one scale: what is generated and what the teacher has; the student's map
// before and after the mask. 0: a scale of its own.
int scale_group(const ReportMap& map) {
  if (map.title.starts_with("teacher") || map.title.starts_with("regenerated")) return 1;
  return map.title.starts_with("student") || map.title == "masked" ? 2 : 0;
}

ValueRange scale_for(const ReportIllustration& illustration, const ReportMap& map) {
  if (is_mask(map)) return {.low = 0, .high = 1, .seen = true};
  if (scale_group(map) == 0) return range_of(map.values);
  ValueRange range;
  for (const ReportMap& other : illustration.maps) {
    if (scale_group(other) != scale_group(map)) continue;
    for (float v : other.values) range.include(v);
  }
  return range;
}

bool drawable(const ReportMap& map) {
  return map.height > 0 && map.width > 0 &&
         map.values.size() == static_cast<std::size_t>(map.height * map.width);
}

void render_map(Html& html, const ReportIllustration& illustration, const ReportMap& map) {
  html.open("figure");
  const ValueRange range = scale_for(illustration, map);
  const Image image =
      drawable(map) ? colour_map(map.values, map.height, map.width, range, is_mask(map) ? grey : viridis)
                    : Image{};
  draw_picture(html, image,
               fmt::format("{}, {} by {} map at {}", map.title, map.height, map.width, illustration.tap));
  html.open("figcaption").element("span", map.title, {{"class", "name"}});
  if (is_mask(map)) {
    html.element("span", "white: seen, dark: hidden", {{"class", "range"}});
  } else if (!range.empty()) {
    html.open("span", {{"class", "range"}}).text(value_text(range.low));
    html.element("span", "", {{"class", "ramp"}, {"aria-hidden", "true"}})
        .text(value_text(range.high))
        .close("span");
  }
  html.close("figcaption").close("figure");
}

}  // namespace

void draw_picture(Html& html, const Image& image, const std::string& alt) {
  if (image.height <= 0 || image.width <= 0 ||
      image.pixels.size() != static_cast<std::size_t>(image.height * image.width * image.channels)) {
    html.element("span", "no picture", {{"class", "picture missing"}});
    return;
  }
  const bool small = image.height <= 128 && image.width <= 128;  // photographs look better smooth
  html.empty("img", {{"class", small ? "picture pixels" : "picture"},
                     {"alt", alt},
                     {"width", fmt::format("{}", image.width)},
                     {"height", fmt::format("{}", image.height)},
                     {"src", "data:image/png;base64," + base64(encode_png(image))}});
}

void render_mistakes(Html& html, const ReportData& data) {
  html.element(
      "p",
      "Samples that the student gets wrong with the greatest confidence, and what the teacher says to them.",
      {{"class", "note"}});
  html.open("div", {{"class", "mistakes"}});
  for (const ReportMistake& mistake : data.mistakes) {
    html.open("figure", {{"class", "card"}});
    draw_picture(html, mistake.image, fmt::format("{}: {}", mistake.label, mistake.name));
    html.open("figcaption");
    html.element("span", mistake.label, {{"class", "truth"}, {"title", mistake.label}});
    html.element("span", mistake.name, {{"class", "file"}, {"title", mistake.name}});
    answer(html, "student", mistake.student_answer, mistake.student_score,
           mistake.student_answer == mistake.label);
    if (!mistake.teacher_answer.empty()) {
      answer(html, "teacher", mistake.teacher_answer, mistake.teacher_score,
             mistake.teacher_answer == mistake.label);
    }
    html.close("figcaption").close("figure");
  }
  html.close("div");
}

void render_illustrations(Html& html, const ReportData& data) {
  html.element("p",
               "Means over channels, bright is high. Look for two things: whether \u201Cregenerated\u201D is "
               "bright where "
               "\u201Cteacher\u201D is, although part of the student was hidden from it; and whether both "
               "are bright on what the "
               "picture is of, not on its background. Maps that agree at the border only say that the loss "
               "is low for a "
               "reason that has nothing to do with the picture.",
               {{"class", "note"}});
  for (const ReportIllustration& illustration : data.illustrations) {
    html.open("div", {{"class", "card"}}).element("h3", illustration.tap);
    if (!illustration.caption.empty()) html.element("p", illustration.caption, {{"class", "note"}});
    html.open("div", {{"class", "maps"}});
    if (illustration.image.height > 0) {
      html.open("figure");
      draw_picture(html, illustration.image, "the sample");
      html.open("figcaption")
          .element("span", "picture", {{"class", "name"}})
          .close("figcaption")
          .close("figure");
    }
    for (const ReportMap& map : illustration.maps) render_map(html, illustration, map);
    html.close("div").close("div");
  }
}

}  // namespace mgd
