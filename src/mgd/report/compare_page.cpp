#include <fmt/core.h>

#include <cmath>

#include "mgd/report/compare.h"
#include "mgd/report/number.h"

namespace mgd {

namespace {

std::string figure_text(const Comparison& c, double value) {
  if (!std::isfinite(value)) return "-";
  return c.is_share ? fmt::format("{:.2f} %", 100 * value) : fmt::format("{:.4f}", value);
}

std::string spread_text(const Comparison& c, const MeanSpread& spread, std::size_t count) {
  if (!std::isfinite(spread.mean)) return "-";
  if (count < 2) return figure_text(c, spread.mean);
  return c.is_share ? fmt::format("{:.2f} \u00B1 {:.2f} %", 100 * spread.mean, 100 * spread.deviation)
                    : fmt::format("{:.4f} \u00B1 {:.4f}", spread.mean, spread.deviation);
}

std::string each_seed(const Comparison& c, const MethodGroup& group) {
  std::string text;
  for (const RunRecord& run : group.runs)
    text += (text.empty() ? "" : " ") +
            (c.is_share ? fmt::format("{:.2f}", 100 * run.value) : fmt::format("{:.4f}", run.value));
  return text;
}

std::string bounded(const Comparison& c, double bound) {
  if (!std::isfinite(bound)) return bound < 0 ? "-inf" : "inf";
  return c.is_share ? fmt::format("{:+.2f}", 100 * bound) : fmt::format("{:+.4f}", bound);
}

ReportTable methods_table(const Comparison& c) {
  ReportTable table{.title = fmt::format("Methods: {} on the {} split", c.headline,
                                         c.split.empty() ? "validation" : c.split),
                    .note =
                        "\u00B1 is the standard deviation over seeds. A difference is paired: by seed, with "
                        "Student's t interval, "
                        "or, with fewer than two common seeds, by the pictures both answered. Intervals are "
                        "95 %, one by one, "
                        "without a correction for looking at many.",
                    .header = {"method", "seeds", c.headline, "validation",
                               "against " + c.groups[c.reference].name, "each seed", "seconds a run"},
                    .rows = {}};
  for (const MethodGroup& group : c.groups) {
    double seconds = 0;
    for (const RunRecord& run : group.runs) seconds += run.seconds / static_cast<double>(group.runs.size());
    table.rows.push_back({group.name, exact_text(static_cast<std::int64_t>(group.runs.size())),
                          spread_text(c, group.value, group.runs.size()),
                          spread_text(c, group.validation, group.runs.size()), difference_text(c, group),
                          each_seed(c, group), fmt::format("{:.0f}", seconds)});
  }
  return table;
}

ReportTable settings_table(const Comparison& c) {
  ReportTable table{.title = "What differs in the recipes", .note = "", .header = {"key"}, .rows = {}};
  for (const MethodGroup& group : c.groups) table.header.push_back(group.name);
  for (const auto& [key, values] : c.differing) {
    table.rows.push_back({key});
    for (const std::string& value : values) table.rows.back().push_back(value.empty() ? "-" : value);
  }
  return table;
}

ReportTable runs_table(const Comparison& c) {
  ReportTable table{
      .title = "Runs", .note = "", .header = {"run", "method", "seed", c.headline, "validation"}, .rows = {}};
  for (const MethodGroup& group : c.groups)
    for (const RunRecord& run : group.runs)
      table.rows.push_back({run.folder, group.name, exact_text(run.seed), figure_text(c, run.value),
                            figure_text(c, run.validation_value)});
  return table;
}

}  // namespace

std::string difference_text(const Comparison& c, const MethodGroup& group) {
  if (&group == &c.groups[c.reference] || group.pairing == Pairing::none) return "";
  const Difference& d = group.difference;
  return fmt::format("{} [{} ... {}] ({} {}{})", bounded(c, d.value), bounded(c, d.interval.low),
                     bounded(c, d.interval.high), group.pairs,
                     group.pairing == Pairing::seeds ? "seeds" : "samples",
                     group.pair_of.empty() ? "" : " of " + group.pair_of + " alone");
}

std::vector<std::string> verdicts(const Comparison& c) {
  std::vector<std::string> lines;
  const std::string& reference = c.groups[c.reference].name;
  for (const MethodGroup& group : c.groups) {
    if (&group == &c.groups[c.reference]) continue;
    if (group.pairing == Pairing::none) {
      lines.push_back(
          fmt::format("{} and {} have fewer than two seeds and no samples in common: nothing can be said.",
                      group.name, reference));
    } else if (group.difference.cannot_tell()) {
      lines.push_back(fmt::format("{} against {}: {} {} cannot tell them apart.", group.name, reference,
                                  group.pairs, group.pairing == Pairing::seeds ? "seeds" : "samples"));
    } else {
      const bool better = (group.difference.value > 0) == c.higher_is_better;
      lines.push_back(fmt::format(
          "{} is {} than {}, beyond what {} explains.", group.name, better ? "better" : "worse", reference,
          group.pairing == Pairing::seeds ? "the spread of seeds" : "the choice of samples"));
    }
  }
  return lines;
}

ReportData comparison_page(const Comparison& c) {
  ReportData data;
  std::size_t runs = 0;
  for (const MethodGroup& group : c.groups) runs += group.runs.size();
  data.title = fmt::format("{} runs of {} methods", runs, c.groups.size());
  data.subtitle =
      fmt::format("{} on the {} split, against {}", c.headline, c.split, c.groups[c.reference].name);
  data.findings_title = "What can be told apart";
  data.findings = verdicts(c);
  for (const MethodGroup& group : c.groups) {
    const RunRecord& first = group.runs.front();
    data.tiles.push_back({.name = group.name,
                          .value = spread_text(c, group.value, group.runs.size()),
                          .note = difference_text(c, group)});
    data.models.push_back({.role = group.name,
                           .architecture = first.architecture,
                           .parameters = first.parameters,
                           .macs = first.macs,
                           .bytes = first.bytes,
                           .accuracy = c.is_share ? group.value.mean : -1,
                           .accuracy_spread = group.runs.size() > 1 ? group.value.deviation : -1,
                           .seeds = static_cast<int>(group.runs.size())});
  }
  data.tables = {methods_table(c), settings_table(c), runs_table(c)};
  return data;
}

}  // namespace mgd
