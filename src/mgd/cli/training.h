// The common course of `mgd distill` and `mgd train`.
#pragma once

#include <string>

#include "mgd/cli/console.h"
#include "mgd/format/config.h"
#include "mgd/train/finish.h"

namespace mgd {

struct TrainingFlags {
  bool resume = false, overwrite = false, strict = false, dry_run = false;
  std::string recipe =
      {};  // text of a proposed recipe, kept in the run for editing; "" = the user has his own
};

struct TrainingOutcome {
  TrainResult result;
  std::string summary;  // summary.json; "" when the run was stopped or dry
  fs::path folder;
  int exit_code = 0;
};

// Recipe to report: resolve, check, train, measure, export, report. `model_dir` is "student" or "model".
TrainingOutcome run_training(const Config& config, const TrainingFlags& flags, const std::string& model_dir,
                             Console& console);

}  // namespace mgd
