// What `mgd distill` and `mgd train` have in common: the way from the command line to a finished run.
#pragma once

#include <string>
#include <vector>

#include "mgd/cli/training.h"
#include "mgd/front/recipe_flags.h"

namespace mgd {

// The summary on stdout: a table, or the JSON object.
void print_outcome(const TrainingOutcome& outcome, const std::string& model_dir, bool json);

int run_recipe(const std::vector<std::string>& args, const RecipeFlags& flags, const std::string& model_dir);

}  // namespace mgd
