#include "mgd/cli/training.h"

#include <fmt/core.h>

#include <optional>

#include "mgd/cli/signals.h"
#include "mgd/core/error.h"

namespace mgd {

namespace {

RunFolder::Open open_mode(const TrainingFlags& flags) {
  if (flags.resume && flags.overwrite)
    fail(ExitCode::usage, "--resume and --overwrite contradict each other");
  if (flags.resume) return RunFolder::Open::resume;
  return flags.overwrite ? RunFolder::Open::overwrite : RunFolder::Open::create;
}

int exit_code_of(StopReason reason) {
  if (reason == StopReason::terminated) return static_cast<int>(ExitCode::terminated);
  if (reason == StopReason::interrupted) return static_cast<int>(ExitCode::interrupted);
  return 0;
}

class OnConsole final : public RunObserver {
 public:
  OnConsole(Console& console, TrainRequests& requests) : console_(console), requests_(requests) {}
  void note(const std::string& line) override { console_.note(line); }
  void warn(const std::string& line) override { console_.warn(line); }
  void progress(const Progress& progress) override { console_.progress(progress); }
  void training_begins() override { signals_.emplace(requests_); }
  void training_ends() override { signals_.reset(); }

 private:
  Console& console_;
  TrainRequests& requests_;
  std::optional<SignalWatch> signals_;
};

}  // namespace

TrainingOutcome run_training(const Config& config, const TrainingFlags& flags, const std::string& model_dir,
                             Console& console) {
  TrainRequests requests;
  OnConsole observer(console, requests);
  RunObserver* const observers[] = {&observer};
  TrainingOutcome outcome;
  outcome.result = run_config(config,
                              {.open = open_mode(flags),
                               .strict = flags.strict,
                               .dry_run = flags.dry_run,
                               .model_dir = model_dir,
                               .recipe = flags.recipe,
                               .requests = &requests},
                              observers);
  outcome.exit_code = exit_code_of(outcome.result.training.reason);
  if (outcome.exit_code != 0)
    console.note(fmt::format("stopped at step {} with a good checkpoint; go on with --resume",
                             outcome.result.training.steps));
  return outcome;
}

}  // namespace mgd
