#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "mgd/report/number.h"
#include "mgd/report/sections.h"

namespace mgd {
namespace {

void draw_guess(Html& html, const std::string& word, double probability, bool right) {
  html.open("div", {{"class", right ? "guess right" : "guess"}});
  html.element("span", word, {{"class", "what"}, {"title", word}});
  const double share = std::isfinite(probability) ? std::clamp(probability, 0.0, 1.0) : 0;
  html.open("span", {{"class", "bar"}, {"aria-hidden", "true"}});
  html.element("span", "", {{"style", fmt::format("width:{:.0f}%", 100 * share)}}).close("span");
  html.element("span", whole_percent_text(probability), {{"class", "score"}}).close("div");
}

}  // namespace

void render_gaps(Html& html, const ReportData& data) {
  html.element("p",
               "One word of each text is hidden. The bars are the model's likeliest guesses with their "
               "probabilities; green is what the text says.",
               {{"class", "note"}});
  html.open("div", {{"class", "gaps"}});
  for (const ReportGap& gap : data.gaps) {
    html.open("figure", {{"class", "card"}}).open("p", {{"class", "sentence"}}).text(gap.before);
    html.element("span", "?", {{"class", "gap"}}).text(gap.after).close("p");
    html.open("figcaption");
    bool found = false;
    for (const auto& [word, probability] : gap.guesses) {
      found = found || word == gap.truth;
      draw_guess(html, word, probability, word == gap.truth);
    }
    if (!found)
      html.open("p", {{"class", "truth-line"}}).text("the text says ").element("b", gap.truth).close("p");
    html.close("figcaption").close("figure");
  }
  html.close("div");
}

void render_continuations(Html& html, const ReportData& data) {
  html.element("p", "The beginning in colour is given; the model writes the rest, token after token.",
               {{"class", "note"}});
  html.open("div", {{"class", "verses"}});
  for (const ReportContinuation& continuation : data.continuations) {
    html.open("figure", {{"class", "card"}}).open("blockquote", {{"class", "verse"}});
    html.open("b").block(continuation.prompt).close("b").block(continuation.text).close("blockquote");
    html.open("figcaption").block("In the text it goes on:\n" + continuation.original).close("figcaption");
    html.close("figure");
  }
  html.close("div");
}

}  // namespace mgd
