#include "mgd/cli/recipe_verb.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "mgd/cli/run_proposed.h"
#include "mgd/core/error.h"

namespace mgd {

namespace {

// The figure by which the task chooses: the one that stands beside the epoch of the best.
std::string headline_of(const nlohmann::ordered_json& summary) {
  for (const auto& [name, value] : summary["best"].items())
    if (name != "epoch") return name;
  return "";
}

void print_summary(const std::string& summary) {
  const auto s = nlohmann::ordered_json::parse(summary);
  const std::string headline = headline_of(s);
  const bool per_cent = headline == "accuracy";
  const auto row = [&](const std::string& role, const nlohmann::ordered_json& model,
                       const nlohmann::ordered_json& metrics) {
    const double value = metrics.value(headline, std::numeric_limits<double>::quiet_NaN());
    const nlohmann::ordered_json& latency = model["latency_ms"];  // null: noted by another run
    fmt::print("{:<8} {:<18} {:>11} {:>13} {:>9.1f} {:>9} {:>8}\n", role,
               model["architecture"].get<std::string>(), model["parameters"].get<std::int64_t>(),
               model["macs"].get<std::int64_t>(),
               static_cast<double>(model["bytes"].get<std::int64_t>()) / 1024,
               latency.is_number() ? fmt::format("{:.2f}", latency.get<double>()) : "-",
               std::isnan(value) ? "-"
               : per_cent        ? fmt::format("{:.2f}", 100 * value)
                                 : fmt::format("{:.4f}", value));
  };
  fmt::print("{:<8} {:<18} {:>11} {:>13} {:>9} {:>9} {:>8}\n", "", "", "parameters", "MACs", "size KiB",
             "ms/sample", per_cent ? "% right" : headline);
  if (s.contains("teacher")) row("teacher", s["teacher"], s["teacher"]["metrics"]);
  row("student", s["student"], s["metrics"]);
  fmt::print("measured on the {} split; {} steps in {:.0f} s, {:.0f} samples/s\n",
             s["split"].is_string() ? s["split"].get<std::string>() : "(no)", s["steps"].get<std::int64_t>(),
             s["seconds"].get<double>(), s["throughput"].get<double>());
}

}  // namespace

void print_outcome(const TrainingOutcome& outcome, const std::string& model_dir, bool json) {
  if (json) {
    fmt::print("{}\n", nlohmann::ordered_json::parse(outcome.summary).dump());
    return;
  }
  print_summary(outcome.summary);
  fmt::print("model   {}\nreport  {}\n", (outcome.folder / model_dir).string(),
             (outcome.folder / "report.html").string());
}

int run_recipe(const std::vector<std::string>& args, const RecipeFlags& flags, const std::string& model_dir) {
  if (const auto request = proposal_request(args, flags, model_dir))
    return run_proposed(*request, split_args(args, flags).overrides, flags, model_dir);
  const Config config = config_from(args, flags);
  Console console(flags.common.quiet, flags.common.color);
  const bool has_teacher = config.teacher.given();
  if (model_dir == "student" && !has_teacher)
    fail(ExitCode::usage,
         "teacher: the recipe names none; write teacher: {{model: NAME, weights: FILE}}, or use `mgd train`");
  const TrainingOutcome outcome = run_training(config,
                                               {.resume = flags.common.resume,
                                                .overwrite = flags.common.overwrite,
                                                .strict = flags.strict,
                                                .dry_run = flags.common.dry_run},
                                               model_dir, console);
  if (outcome.summary.empty()) return outcome.exit_code;
  print_outcome(outcome, model_dir, flags.common.json);
  return 0;
}

}  // namespace mgd
