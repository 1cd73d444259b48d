#include "mgd/report/compare.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/core/publish.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

struct CompareFlags {
  std::string against, html;
  bool json = false;

  void visit(OptionVisitor& v) {
    v.option("against", against, {.help = "method or run that the others are held against; the first given"});
    v.option("html", html, {.help = "also write one page to this file"});
    v.option("json", json, {.help = "everything as one JSON line on stdout"});
  }
};

// A folder of runs stands for those in it that have ended; the others are named.
std::vector<std::string> runs_in(const std::string& given) {
  if (!fs::is_directory(given) || is_finished_run(given) || fs::exists(fs::path(given) / "config.yaml"))
    return {given};
  std::vector<std::string> finished, unfinished;
  for (const auto& entry : fs::directory_iterator(given)) {
    if (is_finished_run(entry.path()))
      finished.push_back(entry.path().string());
    else if (fs::exists(entry.path() / "config.yaml"))
      unfinished.push_back(entry.path().filename().string());
  }
  std::sort(finished.begin(), finished.end());
  std::sort(unfinished.begin(), unfinished.end());
  for (const std::string& name : unfinished)
    fmt::print(stderr, "{}: left out, this run has not ended\n", printable(name));
  if (finished.empty()) return {given};  // and read_run says what is missing
  return finished;
}

json to_json(const Comparison& c) {
  json groups = json::array();
  for (const MethodGroup& group : c.groups) {
    json runs = json::array();
    for (const RunRecord& run : group.runs)
      runs.push_back({{"run", run.folder},
                      {"seed", run.seed},
                      {c.headline, run.value},
                      {"validation", run.validation_value}});
    json entry{{"method", group.name},
               {"architecture", group.runs.front().architecture},
               {"mean", group.value.mean},
               {"deviation", group.value.deviation},
               {"runs", runs}};
    if (group.pairing != Pairing::none)
      entry["difference"] = {{"mean", group.difference.value},
                             {"low", group.difference.interval.low},
                             {"high", group.difference.interval.high},
                             {"paired_by", group.pairing == Pairing::seeds ? "seed" : "sample"},
                             {"pairs", group.pairs},
                             {"cannot_tell", group.difference.cannot_tell()}};
    groups.push_back(std::move(entry));
  }
  return {{"figure", c.headline},
          {"split", c.split},
          {"against", c.groups[c.reference].name},
          {"methods", groups}};
}

void print_comparison(const Comparison& c) {
  const auto number = [&](double v) {
    return c.is_share ? fmt::format("{:.2f}", 100 * v) : fmt::format("{:.4f}", v);
  };
  fmt::print("{:<18} {:>5} {:>16}  {}\n", "method", "seeds", c.is_share ? "accuracy %" : c.headline,
             "against " + c.groups[c.reference].name);
  for (const MethodGroup& group : c.groups)
    fmt::print(
        "{:<18} {:>5} {:>16}  {}\n", printable(group.name), group.runs.size(),
        number(group.value.mean) + (group.runs.size() > 1 ? " \u00B1 " + number(group.value.deviation) : ""),
        difference_text(c, group));
  fmt::print("\n");
  for (const std::string& line : verdicts(c)) fmt::print("{}\n", printable(line));
}

int compare(const std::vector<std::string>& given, const CompareFlags& flags) {
  std::vector<RunRecord> runs;
  for (const std::string& argument : given)
    for (const std::string& folder : runs_in(argument)) runs.push_back(read_run(folder));
  const Comparison comparison = compare_runs(std::move(runs), flags.against);
  if (!flags.html.empty()) write_file_atomic(flags.html, render_report(comparison_page(comparison)));
  if (flags.json)
    fmt::print("{}\n", to_json(comparison).dump(-1, ' ', false, json::error_handler_t::replace));
  else
    print_comparison(comparison);
  return 0;
}

}  // namespace

Verb compare_verb() {
  auto flags = std::make_shared<CompareFlags>();
  return {.name = "compare",
          .help = "finished runs side by side: methods, seeds, paired intervals",
          .example = "mgd compare runs/alone-1 runs/alone-2 runs/kd-1 runs/kd-2 --html compare.html",
          .positional_name = "RUN...",
          .positional_help = "run folders, or folders of runs",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return compare(args, *flags); }};
}

}  // namespace mgd
