#include "mgd/cli/recipe_verb.h"
#include "mgd/cli/verbs.h"

namespace mgd {

Verb distill_verb() {
  auto flags = std::make_shared<RecipeFlags>();
  return {
      .name = "distill",
      .help = "a small network from a big one: teacher + student + losses -> student and report",
      .example = "mgd distill cifar10-resnet56-resnet8 data.path=cifar10.tar.xz",
      .positional_name = "RECIPE [key=value ...]",
      .positional_help = "a recipe file or the name of one that comes with mgd, then changes to it",
      .positional_required = false,
      .options = [flags](OptionVisitor& v) { flags->visit(v); },
      .run = [flags](const std::vector<std::string>& args) { return run_recipe(args, *flags, "student"); }};
}

}  // namespace mgd
