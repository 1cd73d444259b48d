#include "mgd/cli/recipe_verb.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "mgd/cli/run_proposed.h"
#include "mgd/core/error.h"

namespace mgd {

namespace {

void print_result(const RunResult& result) {
  const std::string& headline = result.headline.name;
  const bool per_cent = shown_in_per_cent(headline);
  const auto row = [&](const RunModel& model) {
    const double value = figure(model.measures.figures, headline);
    const double latency = model.measures.latency_ms;  // -1: noted by another run
    // Of a file of answers there is nothing to tell.
    const auto told = [&](const std::string& text) { return model.summary.parameters > 0 ? text : "-"; };
    fmt::print("{:<8} {:<18} {:>11} {:>13} {:>9} {:>9} {:>8}\n", model.name, model.summary.architecture,
               told(std::to_string(model.summary.parameters)), told(std::to_string(model.summary.macs)),
               told(fmt::format("{:.1f}", static_cast<double>(model.measures.bytes) / 1024)),
               latency > 0 ? fmt::format("{:.2f}", latency) : "-",
               std::isnan(value) ? "-"
               : per_cent        ? fmt::format("{:.2f}", 100 * value)
                                 : fmt::format("{:.4f}", value));
  };
  fmt::print("{:<8} {:<18} {:>11} {:>13} {:>9} {:>9} {:>8}\n", "", "", "parameters", "MACs", "size KiB",
             "ms/sample",
             headline == "accuracy" ? "% right"
             : per_cent             ? "% " + headline
                                    : headline);
  for (const RunModel& teacher : result.teachers) row(teacher);
  row(result.student);
  fmt::print("measured on the {} split; {} steps in {:.0f} s, {:.0f} samples/s\n",
             result.split.empty() ? "(no)" : result.split, result.training.steps, result.training.seconds,
             result.training.throughput);
}

}  // namespace

void print_outcome(const TrainingOutcome& outcome, const std::string& model_dir, bool json) {
  if (json) {
    fmt::print("{}\n", nlohmann::ordered_json::parse(outcome.result.summary).dump());
    return;
  }
  print_result(outcome.result);
  fmt::print("model   {}\nreport  {}\n", (outcome.result.folder / model_dir).string(),
             (outcome.result.folder / "report.html").string());
}

int run_recipe(const std::vector<std::string>& args, const RecipeFlags& flags, const std::string& model_dir) {
  if (const auto request = proposal_request(args, flags, model_dir))
    return run_proposed(*request, split_args(args, flags).overrides, flags, model_dir);
  const Config config = config_from(args, flags);
  Console console(flags.common.quiet, flags.common.color);
  const bool has_teacher = !config.all_teachers().empty();
  if (model_dir == "student" && !has_teacher)
    fail(ExitCode::usage,
         "teacher: the recipe names none; write teacher: {{model: NAME, weights: FILE}}, or use `mgd train`");
  const TrainingOutcome outcome = run_training(config,
                                               {.resume = flags.common.resume,
                                                .overwrite = flags.common.overwrite,
                                                .strict = flags.strict,
                                                .dry_run = flags.common.dry_run},
                                               model_dir, console);
  if (!outcome.result.complete) return outcome.exit_code;
  print_outcome(outcome, model_dir, flags.common.json);
  return 0;
}

}  // namespace mgd
