#include "mgd/run/run_config.h"

#include <ATen/Parallel.h>

#include "mgd/core/error.h"
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

class Observers {
 public:
  explicit Observers(std::span<RunObserver* const> all) : all_(all) {}
  void note(const std::string& line) const {
    for (RunObserver* observer : all_) observer->note(line);
  }
  void warn(const std::string& line) const {
    for (RunObserver* observer : all_) observer->warn(line);
  }
  void progress(const Progress& progress) const {
    for (RunObserver* observer : all_) observer->progress(progress);
  }
  // Told of the end in whatever way it comes.
  class Training {
   public:
    explicit Training(const Observers& to) : to_(to) {
      for (RunObserver* observer : to_.all_) observer->training_begins();
    }
    ~Training() {
      for (RunObserver* observer : to_.all_) observer->training_ends();
    }
    Training(const Training&) = delete;
    Training& operator=(const Training&) = delete;

   private:
    const Observers& to_;
  };

 private:
  std::span<RunObserver* const> all_;
};

// One batch through teacher and student, nothing applied, nothing kept.
void dry_run(Run& run, const Observers& tell) {
  for (const auto& teacher : run.teachers)
    if (teacher->cached != nullptr) teacher->cached->keep_nothing();
  const StepResult result = forward_backward(run, run.loader->next(), 0);
  std::string text = fmt::format("dry run: loss {:.4f}", result.loss);
  for (const auto& [label, value] : result.parts) text += fmt::format(", {} {:.4f}", label, value);
  tell.note(text + fmt::format(" on {} samples; nothing was trained or written", result.samples));
  for (const auto& active : run.losses)
    if (active.loss->wants_survey())
      tell.note(fmt::format(
          "dry run: what {} learns of the teacher before the first step is missing, its value says "
          "nothing",
          active.loss->label()));
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
                  std::int64_t step, const Observers& tell) {
  if (changes.empty()) return;
  const bool in_vain = step >= run.total_steps;
  std::string text;
  for (const std::string& change : changes) {
    tell.note(
        fmt::format("{:<10} {}{}", "changed", change, in_vain ? ", without effect: no step is left" : ""));
    text += fmt::format("step {}: {}\n", step, change);
  }
  if (in_vain) return;
  const fs::path file = folder / kChangesFile;
  write_file_atomic(file, (fs::exists(file) ? read_file(file) : "") + text);
  write_start_files(run, folder);
}

// At the end, where nothing scrolls it away.
void tell_unread(const Run& run, const Observers& tell) {
  for (const auto& line : run.task->unread(*run.loader)) tell.note(line);
}

void check_run(Run& run, const RunOptions& options, const Observers& tell) {
  for (const auto& line : describe_run(run)) tell.note(line);
  const RunEstimate estimate = estimate_run(run, options.dry_run);
  if (estimate.measured) tell.note(fmt::format("{:<10} {}", "estimate", describe(estimate)));
  refuse_what_cannot_fit(run, estimate);
  const std::vector<Preflight> checks = preflight(run);
  for (std::size_t i = 0; i < checks.size(); ++i)
    if (checks[i].samples > 0)
      tell.note(
          fmt::format("{:<10} {:.1f} % right on a first batch of {} training samples{}",
                      run.teachers[i]->name, 100 * checks[i].teacher_accuracy, checks[i].samples,
                      checks[i].noted ? ", as noted in its cache; not loaded, the cache is complete" : ""));
}

// Measures, the exported model, and the files that tell of them.
void finish(Run& run, const RunOptions& options, const Observers& tell, RunResult& result) {
  const FinalMeasures measures = measure_final(run);
  tell_unread(run, tell);
  export_student(run, result.folder / options.model_dir);
  write_file_atomic(result.folder / "data_report.json", run.task->data_report_json(*run.loader));
  if (const std::string answers = answers_jsonl(measures); !answers.empty())
    write_file_atomic(result.folder / "answers.jsonl", answers);
  result.summary = summary_json(run, result.training, measures, options.model_dir);
  write_file_atomic(result.folder / "summary.json", result.summary);
  write_file_atomic(result.folder / "report.html",
                    render_report(collect_report(run, result.folder, result.training, measures)));
  result.complete = true;
  result.split = measures.split;
  result.headline = run.task->headline();
  result.student = {.name = "student", .summary = run.student_summary, .measures = measures.student};
  for (std::size_t i = 0; i < run.teachers.size(); ++i)
    result.teachers.push_back({.name = run.teachers[i]->name,
                               .summary = run.teachers[i]->facts.summary,
                               .measures = measures.teachers.at(i)});
}

}  // namespace

RunResult run_config(const Config& config, const RunOptions& options,
                     std::span<RunObserver* const> observers) {
  const Observers tell(observers);
  RunResult result;
  result.folder = config.run.dir;
  if (config.run.allocator == "system") use_system_allocator();
  if (config.run.threads > 0) at::set_num_threads(static_cast<int>(config.run.threads));
  // The folder comes first: an output that cannot be written is found before any minute is spent.
  std::unique_ptr<RunFolder> folder;
  if (!options.dry_run) folder = std::make_unique<RunFolder>(result.folder, options.open);
  const auto run = make_run(config);
  check_run(*run, options, tell);
  if (options.dry_run) {
    dry_run(*run, tell);
    return result;
  }
  const bool resumes = options.open == RunFolder::Open::resume;
  if (!resumes) write_start_files(*run, result.folder);
  if (!resumes && !options.recipe.empty()) write_file_atomic(result.folder / "recipe.yaml", options.recipe);
  std::vector<std::string> changes;
  if (resumes) changes = changes_since(result.folder, run->config);
  const TrainEvents events{
      .note = [&](const std::string& line) { tell.note(line); },
      .warn = [&](const std::string& line) { tell.warn(line); },
      .progress = [&](const Progress& progress) { tell.progress(progress); },
      .started = [&](std::int64_t step) { note_changes(*run, result.folder, changes, step, tell); },
      .progressed = [&] { folder->drop_replaced(); }};
  {
    const Observers::Training training(tell);
    result.training = train(*run, *folder, {.strict = options.strict, .requests = options.requests}, events);
  }
  if (result.training.reason == StopReason::terminated || result.training.reason == StopReason::interrupted)
    return result;
  tell.note("measuring ...");
  finish(*run, options, tell, result);
  return result;
}

}  // namespace mgd
