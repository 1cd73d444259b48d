// The flags of `mgd distill` and `mgd train`, and the way from a command line to a checked configuration.
#pragma once

#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/front/args.h"

namespace mgd {

struct RecipeFlags {
  CommonFlags common;
  bool strict = false;
  bool cache = true;
  bool winograd = false;  // false: as in the recipe
  bool trust = false;     // false: as in the recipe
  bool skip = true;       // true: as in the recipe
  // Beside data, in place of a recipe: a model to start from (train), a teacher (distill), a student's
  // architecture.
  std::string from, teacher, student;
  void visit(OptionVisitor& v);
};

// What stands on the command line before flags: a recipe or data, and changes key=value, those of flags among
// them.
struct RecipeArgs {
  std::string recipe;
  std::vector<std::string> overrides;
};
RecipeArgs split_args(const std::vector<std::string>& args, const RecipeFlags& flags);

// args: RECIPE key=value ...; with --resume and --run-dir the recipe may be left out (the run's own
// config.yaml is used).
Config config_from(const std::vector<std::string>& args, const RecipeFlags& flags);

}  // namespace mgd
