// What `mgd distill` and `mgd train` have in common: flags, and the way from the command line to a finished
// run.
#pragma once

#include <string>
#include <vector>

#include "mgd/cli/args.h"
#include "mgd/cli/training.h"
#include "mgd/format/options.h"

namespace mgd {

struct RecipeFlags {
  CommonFlags common;
  bool strict = false;
  bool cache = true;
  bool winograd = false;  // false: as in the recipe
  bool skip = true;       // true: as in the recipe
  void visit(OptionVisitor& v);
};

// args: RECIPE key=value ...; with --resume and --run-dir the recipe may be left out (the run's own
// config.yaml is used).
Config config_from(const std::vector<std::string>& args, const RecipeFlags& flags);

int run_recipe(const std::vector<std::string>& args, const RecipeFlags& flags, const std::string& model_dir);

}  // namespace mgd
