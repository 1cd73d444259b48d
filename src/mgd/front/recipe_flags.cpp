#include "mgd/front/recipe_flags.h"

#include "mgd/core/error.h"

namespace mgd {

void RecipeFlags::visit(OptionVisitor& v) {
  common.visit(v);
  v.option("strict", strict, {.help = "with --resume: refuse a damaged newest checkpoint"});
  v.option("cache", cache, {.help = "the cache of the teacher's outputs"});
  v.option("winograd", winograd, {.help = "3x3 convolutions by Winograd: faster, less exact"});
  v.option("skip", skip, {.help = "leaving out what masks hide"});
}

Config config_from(const std::vector<std::string>& args, const RecipeFlags& flags) {
  std::string recipe;
  std::vector<std::string> overrides;
  for (const auto& arg : args) {
    if (arg.find('=') != std::string::npos)
      overrides.push_back(arg);
    else if (recipe.empty())
      recipe = arg;
    else
      fail(ExitCode::usage, "'{}': one recipe at a time (got '{}' before); overrides are written key=value",
           arg, recipe);
  }
  if (recipe.empty() && flags.common.resume && !flags.common.run_dir.empty())
    recipe = flags.common.run_dir + "/config.yaml";
  if (recipe.empty()) fail(ExitCode::usage, "no recipe given; see `mgd distill --help`");
  const auto given = flags.common.overrides();
  overrides.insert(overrides.end(), given.begin(), given.end());
  if (!flags.cache) overrides.emplace_back("train.teacher_cache=");
  if (flags.winograd) overrides.emplace_back("train.winograd=true");
  if (!flags.skip) overrides.emplace_back("train.skip_hidden=false");
  return load_config(recipe, overrides);
}

}  // namespace mgd
