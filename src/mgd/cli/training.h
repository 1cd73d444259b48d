// A run as the command has it: told on the console, asked by signals.
#pragma once

#include <string>

#include "mgd/cli/console.h"
#include "mgd/run/run_config.h"

namespace mgd {

struct TrainingFlags {
  bool resume = false, overwrite = false, strict = false, dry_run = false;
  std::string recipe = {};  // RunOptions::recipe
};

struct TrainingOutcome {
  RunResult result;
  int exit_code = 0;
};

// run_config() of the flags. `model_dir` is "student" or "model".
TrainingOutcome run_training(const Config& config, const TrainingFlags& flags, const std::string& model_dir,
                             Console& console);

}  // namespace mgd
