// Finding a recipe: a file, or one that comes with the program.
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/builtin_recipes.h"
#include "mgd/format/config.h"

namespace mgd {

std::vector<std::string> builtin_recipe_names() {
  std::vector<std::string> names;
  for (const BuiltinRecipe& recipe : builtin_recipes()) names.emplace_back(recipe.name);
  return names;
}

namespace {

// Recipes beside the place where one was looked for; a folder of thousands of files is searched in part.
std::vector<std::string> recipes_beside(const fs::path& path) {
  std::vector<std::string> found;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  int looked_at = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && looked_at < 2000;
       it.increment(error)) {
    ++looked_at;
    const std::string extension = it->path().extension().string();
    if (extension != ".yaml" && extension != ".yml") continue;
    const std::string name = it->path().filename().string();
    found.push_back(path.has_parent_path() ? (folder / name).string() : name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

[[noreturn]] void no_recipe(const std::string& recipe) {
  std::vector<std::string> known = recipes_beside(recipe);
  for (const std::string& name : builtin_recipe_names()) known.push_back(name);
  const std::string shown_name = shown(Node::make_scalar(recipe));
  if (const std::string near = nearest_name(recipe, known); !near.empty())
    fail(ExitCode::missing_input, "no recipe {}; did you mean '{}'?", shown_name, near);
  fail(ExitCode::missing_input, "no recipe {}: neither a file nor one that comes with the program{}",
       shown_name, suggestion("", builtin_recipe_names()));
}

Node read_recipe_file(const std::string& recipe) {
  require_regular_file(recipe);
  // Asked before reading: a wrong file may be a whole data set.
  std::error_code error;
  const std::uintmax_t size = fs::file_size(recipe, error);
  if (!error && size > kMaxYamlBytes)
    fail(ExitCode::usage, "{}:1:1: {} bytes, at most {} are read as a recipe", recipe, size, kMaxYamlBytes);
  return parse_yaml(read_file(recipe, kMaxYamlBytes), recipe);
}

}  // namespace

Config load_config(const std::string& recipe, const std::vector<std::string>& overrides) {
  Node tree;
  fs::path base = fs::current_path();
  std::error_code error;
  if (fs::exists(recipe, error)) {
    tree = read_recipe_file(recipe);
    base = fs::absolute(recipe).parent_path();
  } else {
    const auto builtin = builtin_recipes();
    const auto found =
        std::find_if(builtin.begin(), builtin.end(), [&](const auto& b) { return b.name == recipe; });
    if (found == builtin.end()) no_recipe(recipe);
    tree = parse_yaml(found->text, recipe);
  }
  for (const std::string& assignment : overrides) apply_override(tree, assignment);
  Config config = read_config(std::move(tree), base);
  if (config.run.dir.empty()) config.run.dir = (fs::path("runs") / fs::path(recipe).stem()).string();
  return config;
}

}  // namespace mgd
