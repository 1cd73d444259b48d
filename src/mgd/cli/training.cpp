#include "mgd/cli/training.h"

#include <ATen/Parallel.h>

#include "mgd/cli/signals.h"
#include "mgd/core/error.h"
#include "mgd/data/source_lines.h"
#include "mgd/format/flat_config.h"
#include "mgd/ops/allocator.h"
#include "mgd/report/collect.h"
#include "mgd/train/answers_file.h"
#include "mgd/train/environment.h"
#include "mgd/train/estimate.h"
#include "mgd/train/preflight.h"
#include "mgd/train/step.h"

namespace mgd {

namespace {

RunFolder::Open open_mode(const TrainingFlags& flags) {
  if (flags.resume && flags.overwrite)
    fail(ExitCode::usage, "--resume and --overwrite contradict each other");
  if (flags.resume) return RunFolder::Open::resume;
  return flags.overwrite ? RunFolder::Open::overwrite : RunFolder::Open::create;
}

// One batch through teacher and student, nothing applied, nothing kept.
void dry_run(Run& run, Console& console) {
  for (const auto& teacher : run.teachers)
    if (teacher->cached != nullptr) teacher->cached->keep_nothing();
  const StepResult result = forward_backward(run, run.loader->next(), 0);
  std::string text = fmt::format("dry run: loss {:.4f}", result.loss);
  for (const auto& [label, value] : result.parts) text += fmt::format(", {} {:.4f}", label, value);
  console.note(text + fmt::format(" on {} samples; nothing was trained or written", result.samples));
}

void write_start_files(const Run& run, const fs::path& folder) {
  write_file_atomic(folder / "config.yaml", config_to_yaml(run.config));
  write_file_atomic(folder / "env.json", environment_json(environment()));
}

std::vector<std::string> changes_since(const fs::path& folder, const Config& config) {
  const fs::path file = folder / "config.yaml";
  if (!fs::exists(file)) return {};
  return config_changes(parse_yaml(read_file(file), file.string()),
                        parse_yaml(config_to_yaml(config), "now"));
}

// From now on the run's files tell what it does, and that it did not do so from the beginning.
void note_changes(const Run& run, const fs::path& folder, const std::vector<std::string>& changes,
                  std::int64_t step, Console& console) {
  if (changes.empty()) return;
  const bool in_vain = step >= run.total_steps;
  std::string text;
  for (const std::string& change : changes) {
    console.note(
        fmt::format("{:<10} {}{}", "changed", change, in_vain ? ", without effect: no step is left" : ""));
    text += fmt::format("step {}: {}\n", step, change);
  }
  if (in_vain) return;
  const fs::path file = folder / kChangesFile;
  write_file_atomic(file, (fs::exists(file) ? read_file(file) : "") + text);
  write_start_files(run, folder);
}

// At the end, where nothing scrolls it away.
void tell_unread(const Run& run, Console& console) {
  const auto corrupt = run.loader->corrupt(), left_out = run.task->left_out();
  for (const auto& line : unread_lines(corrupt, run.task->num_samples(), "passed over in training"))
    console.note(line);
  for (const auto& line : unread_lines(left_out, run.task->num_measured(), "left out of the measures"))
    console.note(line);
}

int exit_code_of(StopReason reason) {
  if (reason == StopReason::terminated) return static_cast<int>(ExitCode::terminated);
  if (reason == StopReason::interrupted) return static_cast<int>(ExitCode::interrupted);
  return 0;
}

}  // namespace

TrainingOutcome run_training(const Config& config, const TrainingFlags& flags, const std::string& model_dir,
                             Console& console) {
  TrainingOutcome outcome;
  outcome.folder = config.run.dir;
  if (config.run.allocator == "system") use_system_allocator();
  if (config.run.threads > 0) at::set_num_threads(static_cast<int>(config.run.threads));
  // The folder comes first: an output that cannot be written is found before any minute is spent.
  std::unique_ptr<RunFolder> folder;
  if (!flags.dry_run) folder = std::make_unique<RunFolder>(outcome.folder, open_mode(flags));
  const auto run = make_run(config);
  for (const auto& line : describe_run(*run)) console.note(line);
  const RunEstimate estimate = estimate_run(*run, flags.dry_run);
  if (estimate.measured) console.note(fmt::format("{:<10} {}", "estimate", describe(estimate)));
  refuse_what_cannot_fit(*run, estimate);
  const Preflight check = preflight(*run);
  if (check.samples > 0)
    console.note(fmt::format(
        "{:<10} {:.1f} % right on a first batch of {} training samples{}", "teacher",
        100 * check.teacher_accuracy, check.samples,
        run->teacher()->live->loaded() ? "" : ", as noted in its cache; not loaded, the cache is complete"));
  if (flags.dry_run) {
    dry_run(*run, console);
    return outcome;
  }
  if (!flags.resume) write_start_files(*run, outcome.folder);
  if (!flags.resume && !flags.recipe.empty()) write_file_atomic(outcome.folder / "recipe.yaml", flags.recipe);
  TrainEvents events = console.events();
  std::vector<std::string> changes;
  if (flags.resume) changes = changes_since(outcome.folder, run->config);
  events.progressed = [&] { folder->drop_replaced(); };
  events.started = [&](std::int64_t step) { note_changes(*run, outcome.folder, changes, step, console); };
  {
    SignalWatch signals;
    outcome.result = train(*run, *folder, {.strict = flags.strict, .requests = &signals.requests()}, events);
  }
  outcome.exit_code = exit_code_of(outcome.result.reason);
  if (outcome.exit_code != 0) {
    console.note(
        fmt::format("stopped at step {} with a good checkpoint; go on with --resume", outcome.result.steps));
    return outcome;
  }
  console.note("measuring ...");
  const FinalMeasures measures = measure_final(*run);
  tell_unread(*run, console);
  export_student(*run, outcome.folder / model_dir);
  write_file_atomic(outcome.folder / "data_report.json", run->task->data_report_json(*run->loader));
  if (const std::string answers = answers_jsonl(measures); !answers.empty())
    write_file_atomic(outcome.folder / "answers.jsonl", answers);
  outcome.summary = summary_json(*run, outcome.result, measures, model_dir);
  write_file_atomic(outcome.folder / "summary.json", outcome.summary);
  write_file_atomic(outcome.folder / "report.html",
                    render_report(collect_report(*run, outcome.folder, outcome.result, measures)));
  return outcome;
}

}  // namespace mgd
