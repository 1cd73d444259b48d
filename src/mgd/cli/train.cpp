#include "mgd/cli/recipe_verb.h"
#include "mgd/cli/verbs.h"

namespace mgd {

Verb train_verb() {
  auto flags = std::make_shared<RecipeFlags>();
  return {.name = "train",
          .help = "a model from scratch or from weights",
          .example = "mgd train digits-teacher data.path=digits.csv.gz",
          .positional_name = "RECIPE|DATA [key=value ...]",
          .positional_help = "a recipe, or a folder of pictures; then changes",
          .positional_required = false,
          .options =
              [flags](OptionVisitor& v) {
                flags->visit(v);
                v.option("from", flags->from,
                         {.help = "with DATA in place of a recipe: model folder or weights"});
                v.option("student", flags->student,
                         {.help = "with DATA: architecture to train from scratch"});
              },
          .run = [flags](const std::vector<std::string>& args) { return run_recipe(args, *flags, "model"); }};
}

}  // namespace mgd
