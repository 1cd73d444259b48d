#include "mgd/cli/recipe_verb.h"
#include "mgd/cli/verbs.h"

namespace mgd {

Verb train_verb() {
  auto flags = std::make_shared<RecipeFlags>();
  return {.name = "train",
          .help = "a model from scratch or from weights",
          .example = "mgd train digits-teacher data.path=digits.csv.gz",
          .positional_name = "RECIPE [key=value ...]",
          .positional_help = "a recipe file or the name of one that comes with mgd, then changes to it",
          .positional_required = false,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_recipe(args, *flags, "model"); }};
}

}  // namespace mgd
