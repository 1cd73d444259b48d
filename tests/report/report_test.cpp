#include "mgd/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <regex>

#include "mgd/core/error.h"
#include "report/sample.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Every tag that is opened is closed in order; void and self-closed ones stand alone.
std::string imbalance(const std::string& html) {
  static const std::regex tag(R"(<(/?)([a-zA-Z0-9]+)((?:[^<>"]|"[^"]*")*?)(/?)>)");
  std::vector<std::string> open;
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    if ((*it)[4].length() > 0) continue;
    if ((*it)[1].length() == 0) {
      open.push_back((*it)[2]);
    } else {
      if (open.empty() || open.back() != (*it)[2]) return "unexpected </" + std::string((*it)[2]) + ">";
      open.pop_back();
    }
  }
  return open.empty() ? "" : "open: " + open.back();
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Report, ShowsEverySectionAndStandsAlone) {
  const std::string html = render_report(sample_report());
  if (const char* path = std::getenv("MGD_SAMPLE_REPORT")) std::ofstream(path) << html;
  EXPECT_EQ(imbalance(html), "");
  for (const char* id : {"findings", "models", "tables", "gaps", "continuations", "curves", "confusion",
                         "mistakes", "maps", "masks", "attention", "details"}) {
    EXPECT_EQ(count_of(html, std::string("<section id=\"") + id + "\""), 1U) << id;
    EXPECT_EQ(count_of(html, std::string("href=\"#") + id + "\""), 1U) << id;
  }
  EXPECT_THAT(html, HasSubstr("11\u00D7 smaller"));
  EXPECT_THAT(html, HasSubstr("87.64 %"));
  EXPECT_THAT(html, HasSubstr("1 of 40 values not finite"));
  EXPECT_THAT(html, Not(HasSubstr("http:")));
  EXPECT_THAT(html, Not(HasSubstr("https:")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("url(")));
  EXPECT_THAT(html, Not(HasSubstr("@import")));
  EXPECT_EQ(count_of(html, "src="), count_of(html, "src=\"data:image/png;base64,"));
  EXPECT_EQ(count_of(html, "<img"), count_of(html, " alt=\""));
  EXPECT_LT(html.size(), 400'000U);
}

// A real browser finds what no search of the text does. Without Chromium the script says so and succeeds.
TEST(Report, OpensInABrowserWithASilentConsole) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("mgd_report_" + std::to_string(::getpid()) + ".html");
  std::ofstream(path) << render_report(sample_report());
  EXPECT_EQ(std::system(("sh '" MGD_SOURCE_DIR "/scripts/check_report.sh' '" + path.string() + "'").c_str()),
            0);
  std::filesystem::remove(path);
}

TEST(Report, EmptySectionsAreLeftOut) {
  const std::string html = render_report({});
  EXPECT_EQ(imbalance(html), "");
  EXPECT_THAT(html, Not(HasSubstr("<section")));
  EXPECT_THAT(html, HasSubstr("<h1>Report</h1>"));
  EXPECT_THAT(html, Not(HasSubstr("class=\"tiles\"")));
}

// faults.md, row 25: whatever a name holds, it stays text.
TEST(Report, HostileNamesStayText) {
  const std::string evil = "<script>alert('x')</script>\n\x1b[31m\"><img src=x onerror=alert(1)>\xff\u202E";
  ReportData data = sample_report();
  data.title = data.subtitle = evil;
  data.findings = {evil};
  for (auto& model : data.models) model.role = model.architecture = evil;
  for (auto& name : data.class_names) name = evil;
  for (auto& curve : data.curves) curve.name = evil;
  for (auto& m : data.mistakes) m.name = m.label = m.student_answer = m.teacher_answer = evil;
  for (auto& i : data.illustrations) {
    i.tap = i.caption = evil;
    for (auto& map : i.maps) map.title = evil;
  }
  for (auto& gap : data.gaps) {
    gap.before = gap.truth = gap.after = evil;
    for (auto& guess : gap.guesses) guess.first = evil;
  }
  for (auto& c : data.continuations) c.prompt = c.text = c.original = evil;
  for (auto* all : {&data.masks, &data.attention})
    for (auto& a : *all) {
      a.title = a.note = evil;
      for (auto& label : a.rows) label = evil;
      a.columns = a.rows;
      for (auto& map : a.maps) map.title = evil;
    }
  data.tiles = {{.name = evil, .value = evil, .note = evil}};
  data.tables = {{.title = evil, .note = evil, .header = {evil, evil}, .rows = {{evil, evil}}}};
  data.config_yaml = data.data_report_json = evil + "</pre></details>";
  data.environment_json = R"({"<script>": "</table><script>", "a": ["\u001b[0m"]})";
  const std::string html = render_report(data);
  EXPECT_EQ(imbalance(html), "");
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(html, Not(HasSubstr("\x1b")));
  EXPECT_THAT(html, Not(HasSubstr("\xff")));
  EXPECT_THAT(html, Not(HasSubstr("\u202E")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\u240A\u241B[31m"));
  EXPECT_EQ(count_of(html, "<section"), 12U);
}

TEST(Report, GapsShowTheTruthWhereNoGuessIsRight) {
  const std::string html = render_report({.gaps = sample_report().gaps});
  EXPECT_EQ(count_of(html, "class=\"guess right\""), 1U);
  EXPECT_THAT(html, HasSubstr("width:61%"));
  EXPECT_EQ(count_of(html, "the text says <b>king</b>"), 1U);
  EXPECT_THAT(html, Not(HasSubstr("the text says <b>sat</b>")));
}

TEST(Report, AttentionShowsLabelsShadesAndWhatTheMaskHides) {
  ReportAttention a{
      .title = "layer", .note = "", .rows = {"x", "\u00E9xtraordinarily"}, .columns = {"x", "y"}};
  a.maps = {{.title = "head 1", .height = 2, .width = 2, .values = {1, std::nanf(""), 0.5F, 0}}};
  const std::string html = render_report({.attention = {a}});
  EXPECT_EQ(imbalance(html), "");
  EXPECT_THAT(html, HasSubstr("<path class=\"seen\" fill-opacity=\"1.00\""));
  EXPECT_THAT(html, HasSubstr("<path class=\"seen\" fill-opacity=\"0.50\""));
  EXPECT_EQ(count_of(html, "<path class=\"hidden\""), 1U);
  EXPECT_EQ(count_of(html, "<path class=\"blank\""), 1U);
  EXPECT_THAT(html, HasSubstr(">\u00E9xtraordin\u2026</text>"));
  a.rows.pop_back();  // labels that do not fit the map
  EXPECT_THAT(render_report({.attention = {a}}), HasSubstr("no picture"));
}

TEST(Report, TilesOfItsOwnReplaceThoseOfTheModel) {
  ReportData data = sample_report();
  data.tiles = {{.name = "Gaps filled", .value = "5 of 9", .note = "among three"}};
  const std::string html = render_report(data);
  EXPECT_EQ(count_of(html, "class=\"tile\""), 1U);
  EXPECT_THAT(html, HasSubstr("5 of 9"));
}

TEST(Report, OddNumbersNeverBreakThePage) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity(), max = 1.7e308;
  ReportData data;
  data.models = {{.role = "teacher", .architecture = "a", .parameters = 0, .accuracy = nan},
                 {.role = "this student",
                  .architecture = "b",
                  .parameters = INT64_MAX,
                  .macs = 1,
                  .latency_ms = inf,
                  .accuracy = 1,
                  .accuracy_spread = nan}};
  data.curves = {{"single", {{3, 0.25}}},
                 {"none", {}},
                 {"nan", {{1, nan}, {2, nan}}},
                 {"huge", {{1, -max}, {2, max}, {3, inf}}},
                 {"flat", {{1, 7}, {2, 7}}},
                 {"loss/tiny", {{1, 1e-300}, {2, 1e300}}},
                 {"loss/zero", {{1, 0}, {2, 0}}},
                 {"far", {{1e18, 1}, {1e18 + 128, 2}}},
                 {"eval/accuracy", {{1, nan}, {2, 0.5}}}};
  data.confusion = {{0, 0}, {0}};  // a row that is too short, classes without a name
  data.mistakes = {{.image = {},
                    .name = "gone",
                    .label = "x",
                    .student_answer = "y",
                    .teacher_answer = "",
                    .student_score = nan}};
  data.illustrations = {{.tap = "t",
                         .caption = "",
                         .image = {},
                         .maps = {{"student", 2, 2, {1, 2}}, {"teacher", 1, 2, {NAN, INFINITY}}}}};
  const std::string html = render_report(data);
  EXPECT_EQ(imbalance(html), "");
  for (const char* bad : {"=\"nan", " nan", "-nan", "Lnan", "Mnan", "inf\"", " inf\"", "e+"}) {
    EXPECT_THAT(html, Not(HasSubstr(bad)));
  }
  EXPECT_THAT(html, HasSubstr("aria-label=\"single: 0.25 at step 3, 0.25 at step 3\""));
  EXPECT_THAT(html, HasSubstr("2 of 2 values not finite"));
  EXPECT_THAT(html, HasSubstr("no picture"));
}

TEST(Report, ManyClassesGiveAListOfTheFifteenWorstPairs) {
  ReportData data;
  data.confusion.assign(21, std::vector<std::int64_t>(21, 0));
  for (std::size_t i = 0; i < 21; ++i) {
    data.confusion[i][i] = 50;
    data.confusion[i][(i + 1) % 21] = static_cast<std::int64_t>(i + 1);
    data.class_names.push_back("name" + std::to_string(i));
  }
  const std::string html = render_report(data);
  EXPECT_THAT(html, Not(HasSubstr("class=\"heat\"")));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">name20</th><td>name0</td><td class=\"num\">21</td><td "
                              "class=\"num\">29.6 %</td>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">name6</th>"));
  EXPECT_THAT(html, Not(HasSubstr("<th scope=\"row\">name5</th>")));
}

TEST(ReadCurves, KeepsOrderSkipsClocksAndReplacesResumedRows) {
  const auto curves = read_curves(
      "{\"step\": 1, \"epoch\": 0, \"loss\": 2.5, \"loss/kd\": 1.5, \"lr\": 0.1, \"note\": \"x\"}\n"
      "{\"step\": 2, \"epoch\": 0, \"loss\": 2.0, \"loss/kd\": null}\n"
      "\n"
      "{\"step\": 2, \"eval/accuracy\": 0.5, \"eval/loss\": 1}\n"
      "{\"step\": 3, \"loss\": 9.0}\n"
      "{\"step\": 2, \"loss\": 1.75}\n"
      "{\"step\": 3, \"lo");
  std::vector<std::string> names;
  for (const auto& c : curves) names.push_back(c.name);
  EXPECT_EQ(names, (std::vector<std::string>{"loss", "loss/kd", "lr", "eval/accuracy", "eval/loss"}));
  EXPECT_EQ(curves[0].points, (std::vector<std::pair<double, double>>{{1, 2.5}, {2, 1.75}}));
  EXPECT_TRUE(std::isnan(curves[1].points[1].second));
  EXPECT_EQ(curves[3].points, (std::vector<std::pair<double, double>>{{2, 0.5}}));
}

TEST(ReadCurves, EmptyAndBrokenFiles) {
  EXPECT_TRUE(read_curves("").empty());
  EXPECT_TRUE(read_curves("\n{\"step\"").empty());
  try {
    read_curves("{\"step\": 1, \"loss\": 1}\n{\"step\": 2, \"lo\n{\"step\": 3, \"loss\": 1}\n");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_data);
    EXPECT_STREQ(e.what(), "metrics: line 2: got '{\"step\": 2, \"lo', expected a JSON object");
  }
}

TEST(Report, SharesOfTheGradientAreShownHoweverSmall) {
  const ReportData data{
      .curves = read_curves("{\"step\": 10, \"grad_share/mgd\": 4e-7, \"grad_share/kd\": 0.9999996}\n"
                            "{\"step\": 40, \"grad_share/mgd\": 5e-7, \"grad_share/kd\": 0.9999995}\n")};
  const std::string html = render_report(data);
  EXPECT_THAT(html, HasSubstr("grad_share/mgd: 4e-5 % at step 10, 5e-5 % at step 40"));
  EXPECT_THAT(html, HasSubstr("grad_share/kd: 100.00 % at step 10"));
  EXPECT_THAT(html, HasSubstr("grad_share: the norm of a loss"));
  EXPECT_THAT(render_report(sample_report()), Not(HasSubstr("grad_share")));
}

}  // namespace
}  // namespace mgd
