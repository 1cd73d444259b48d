#include "mgd/front/recipe_flags.h"

#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {

void RecipeFlags::visit(OptionVisitor& v) {
  common.visit(v);
  v.option("strict", strict, {.help = "with --resume: refuse a damaged newest checkpoint"});
  v.option("cache", cache, {.help = "the cache of the teacher's outputs"});
  v.option("winograd", winograd, {.help = "3x3 convolutions by Winograd: faster, less exact"});
  v.option("trust", trust,
           {.help = "run the teacher's TorchScript file, which is a program; its hash is kept"});
  v.option("skip", skip, {.help = "leaving out what masks hide"});
}

RecipeArgs split_args(const std::vector<std::string>& args, const RecipeFlags& flags) {
  RecipeArgs split;
  for (const auto& arg : args) {
    if (arg.find('=') != std::string::npos)
      split.overrides.push_back(arg);
    else if (split.recipe.empty())
      split.recipe = arg;
    else
      fail(ExitCode::usage, "'{}': one recipe at a time (got '{}' before); overrides are written key=value",
           arg, split.recipe);
  }
  const auto given = flags.common.overrides();
  split.overrides.insert(split.overrides.end(), given.begin(), given.end());
  if (!flags.cache) split.overrides.emplace_back("train.teacher_cache=");
  if (flags.winograd) split.overrides.emplace_back("train.winograd=true");
  if (!flags.skip) split.overrides.emplace_back("train.skip_hidden=false");
  return split;
}

namespace {

// As if the recipe held the hashes of the files as they are now.
void trust_scripts(RecipeArgs& split) {
  std::vector<std::string> hashes;
  for (const TeacherConfig& teacher : load_config(split.recipe, split.overrides).all_teachers())
    if (!teacher.model.script.empty())
      hashes.push_back(teacher.where + ".trust=" + sha256_file(teacher.model.script));
  if (hashes.empty()) fail(ExitCode::usage, "--trust: no teacher is a TorchScript file");
  split.overrides.insert(split.overrides.end(), hashes.begin(), hashes.end());
}

}  // namespace

Config config_from(const std::vector<std::string>& args, const RecipeFlags& flags) {
  RecipeArgs split = split_args(args, flags);
  if (split.recipe.empty() && flags.common.resume && !flags.common.run_dir.empty())
    split.recipe = flags.common.run_dir + "/config.yaml";
  if (split.recipe.empty()) fail(ExitCode::usage, "no recipe given; see `mgd distill --help`");
  if (flags.trust) trust_scripts(split);
  return load_config(split.recipe, split.overrides);
}

}  // namespace mgd
