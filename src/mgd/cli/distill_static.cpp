#include "mgd/cli/distill_static.h"

#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/cli/console.h"
#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/io/static_folder.h"

namespace mgd {

namespace {

std::string flag_of(std::string option) {
  std::replace(option.begin(), option.end(), '_', '-');
  return "--" + option;
}

// The first option that is not as `Flags` has it; "": none.
template <class Flags>
std::string changed_option(const Flags& flags, const std::vector<std::string>& aside) {
  const Node given = write_options(flags), otherwise = write_options(Flags{});
  for (const auto& [name, value] : given.fields)
    if (std::find(aside.begin(), aside.end(), name) == aside.end() &&
        to_yaml_flow(value) != to_yaml_flow(*otherwise.find(name)))
      return name;
  return "";
}

void refuse_recipe(const std::vector<std::string>& args, const RecipeFlags& recipe) {
  if (!args.empty())
    fail(ExitCode::usage, "'{}': --static takes no recipe and no data; its teacher stands behind it",
         printable(args[0]));
  const std::string changed =
      changed_option(recipe, {"threads", "device", "allocator", "overwrite", "quiet", "json", "color"});
  const char* const beside = !recipe.teacher.empty() ? "teacher" : !recipe.student.empty() ? "student" : "";
  if (!changed.empty() || *beside != 0)
    fail(ExitCode::usage, "{}: it belongs to a recipe; --static trains nothing",
         flag_of(changed.empty() ? beside : changed));
}

void require_place(const std::string& out, bool overwrite) {
  std::error_code ignored;
  if (!fs::exists(out, ignored)) return;
  if (fs::is_directory(out, ignored) && fs::is_empty(out, ignored)) return;
  if (!fs::is_directory(out, ignored) || !is_static_folder(out))
    fail(ExitCode::cannot_create, "--out: {} is there already, and no static model; name another folder",
         out);
  if (!overwrite)
    fail(ExitCode::cannot_create,
         "--out: {} is there already; name another folder, or replace it with --overwrite", out);
}

void print_static(const StaticFlags& flags, const StaticOutcome& outcome, bool json) {
  if (json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"out", flags.out},
                                              {"teacher", flags.teacher},
                                              {"tokens", outcome.tokens},
                                              {"width", outcome.width},
                                              {"placeholders_left_out", outcome.placeholders},
                                              {"added_tokens_left_out", outcome.added},
                                              {"explained_variance", outcome.explained},
                                              {"bytes", outcome.bytes},
                                              {"seconds", outcome.seconds}}
                           .dump());
    return;
  }
  fmt::print("{} vectors of {} numbers, {:.1f} MB{}, in {:.1f} s\nmodel   {}\n", outcome.tokens,
             outcome.width, static_cast<double>(outcome.bytes) / 1e6,
             flags.options.components > 0
                 ? fmt::format(", with {:.1f} % of the variance", 100 * outcome.explained)
                 : "",
             outcome.seconds, flags.out);
}

}  // namespace

void StaticFlags::visit(OptionVisitor& v) {
  v.option("static", teacher,
           {.help = "in place of a recipe: folder of a sentence encoder; gives a vector a token, no layers"});
  v.option("out", out, {.help = "static: folder for the model"});
  options.visit(v);
}

void StaticFlags::refuse_alone() const {
  const std::string changed = given() ? "" : changed_option(*this, {});
  if (!changed.empty())
    fail(ExitCode::usage, "{}: it belongs to --static TEACHER, which is not there", flag_of(changed));
}

int run_distill_static(const std::vector<std::string>& args, const StaticFlags& flags,
                       const RecipeFlags& recipe) {
  refuse_recipe(args, recipe);
  if (flags.out.empty())
    fail(ExitCode::usage, "--out is missing: the folder for the model; e.g. mgd distill --static {} --out {}",
         flags.teacher, "static");
  require_place(flags.out, recipe.common.overwrite);
  if (recipe.common.threads > 0) at::set_num_threads(static_cast<int>(recipe.common.threads));
  StaticOptions options = flags.options;
  if (!recipe.common.device.empty()) options.device = recipe.common.device;
  Console console(recipe.common.quiet, recipe.common.color);
  const StaticOutcome outcome =
      distill_static(flags.teacher, flags.out, options, [&](const std::string& line) { console.note(line); });
  print_static(flags, outcome, recipe.common.json);
  return 0;
}

}  // namespace mgd
