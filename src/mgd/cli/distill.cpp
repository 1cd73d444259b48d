#include "mgd/cli/distill_static.h"
#include "mgd/cli/recipe_verb.h"
#include "mgd/cli/verbs.h"

namespace mgd {

Verb distill_verb() {
  auto flags = std::make_shared<RecipeFlags>();
  auto fixed = std::make_shared<StaticFlags>();
  return {.name = "distill",
          .help = "a small network from a big one: teacher, student, losses -> a student",
          .example = "mgd distill cifar10-resnet56-resnet8 data.path=cifar10.tar.xz",
          .positional_name = "RECIPE|DATA [key=value ...]",
          .positional_help = "a recipe, or pictures and --teacher; then changes",
          .positional_required = false,
          .options =
              [flags, fixed](OptionVisitor& v) {
                flags->visit(v);
                v.option("teacher", flags->teacher,
                         {.help = "with DATA in place of a recipe: model folder or weights"});
                v.option("student", flags->student,
                         {.help = "with DATA: its architecture; by rule when left out"});
                fixed->visit(v);
              },
          .run =
              [flags, fixed](const std::vector<std::string>& args) {
                if (fixed->given()) return run_distill_static(args, *fixed, *flags);
                fixed->refuse_alone();
                return run_recipe(args, *flags, "student");
              }};
}

}  // namespace mgd
