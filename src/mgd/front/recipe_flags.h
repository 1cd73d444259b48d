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
  bool skip = true;       // true: as in the recipe
  void visit(OptionVisitor& v);
};

// args: RECIPE key=value ...; with --resume and --run-dir the recipe may be left out (the run's own
// config.yaml is used).
Config config_from(const std::vector<std::string>& args, const RecipeFlags& flags);

}  // namespace mgd
