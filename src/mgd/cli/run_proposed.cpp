#include "mgd/cli/run_proposed.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/cli/recipe_verb.h"
#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {

namespace {

bool is_recipe_name(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

struct Stage {
  Config config;
  TrainingFlags flags;
  std::vector<std::string> lines;  // the choices, for the console
};

// "train.epochs" by "train.epochs=3", "losses" by "losses.0.weight=2".
bool is_overridden(const std::string& key, const std::vector<std::string>& overrides) {
  return std::any_of(overrides.begin(), overrides.end(), [&](const std::string& assignment) {
    return assignment.starts_with(key + "=") || assignment.starts_with(key + ".");
  });
}

Stage stage_of(const Proposal& proposal, const std::string& run_dir,
               const std::vector<std::string>& overrides, const RecipeFlags& flags) {
  Stage stage;
  Node tree = proposal.recipe;
  // A folder: another teacher gets a file of its own.
  if (tree.find("teacher") != nullptr)
    apply_override(
        tree, "train.teacher_cache=" + (fs::absolute(run_dir) / "teacher-cache").lexically_normal().string());
  for (const std::string& assignment : overrides) {
    // The warm-up was chosen for the length that is changed here.
    if (assignment.starts_with("train.epochs=")) apply_override(tree, "train.warmup_epochs=0");
    apply_override(tree, assignment);
  }
  Proposal shown{.recipe = tree, .choices = {}};
  std::erase_if(shown.recipe.fields, [](const auto& field) { return field.first == "run"; });
  for (const Choice& choice : proposal.choices)
    if (!is_overridden(choice.key, overrides)) shown.choices.push_back(choice);
  stage.config = read_config(tree, fs::current_path());
  stage.config.run.dir = run_dir;
  stage.flags = {.resume = flags.common.resume,
                 .overwrite = flags.common.overwrite,
                 .strict = flags.strict,
                 .dry_run = flags.common.dry_run,
                 .recipe = shown.to_yaml()};
  for (const Choice& choice : shown.choices)
    if (!choice.why.empty())
      stage.lines.push_back(fmt::format("{:<10} {}: {}", "chosen", choice.key, choice.why));
  return stage;
}

TrainingOutcome run_stage(const Stage& stage, const std::string& model_dir, Console& console) {
  for (const std::string& line : stage.lines) console.note(line);
  return run_training(stage.config, stage.flags, model_dir, console);
}

// Changes that make sense for the teacher's fine-tuning, too: where it runs, with which seed, and which data
// it reads. What is left is the student's, and is said.
std::vector<std::string> of_both_stages(const std::vector<std::string>& overrides, Console& console) {
  const auto starts_with_any = [](const std::string& text, std::initializer_list<const char*> starts) {
    return std::any_of(starts.begin(), starts.end(),
                       [&](const char* start) { return text.starts_with(start); });
  };
  std::vector<std::string> kept, left;
  for (const std::string& assignment : overrides) {
    const bool both = starts_with_any(assignment, {"run.", "data."}) &&
                      !starts_with_any(assignment, {"data.image_size", "data.augment", "data.views"});
    (both ? kept : left).push_back(assignment);
  }
  if (!left.empty())
    console.note(
        fmt::format("{:<10} {}: for the student's run alone; to change the teacher's, fine-tune it by "
                    "`mgd train DATA --from WEIGHTS KEY=VALUE` and distil from its folder",
                    "changed", fmt::join(left, " ")));
  return kept;
}

// RUN/teacher/model; its run is made, resumed, or there already. Nothing when it was stopped.
std::optional<std::string> fine_tuned_teacher(const ProposalRequest& request, const std::string& run_dir,
                                              const std::vector<std::string>& overrides,
                                              const RecipeFlags& flags, Console& console, int& exit_code) {
  const fs::path folder = fs::path(run_dir) / "teacher";
  const std::string model = (folder / "model").string();
  if (fs::exists(folder / "summary.json") && !flags.common.overwrite) {
    console.note(fmt::format("{:<10} {}: fine-tuned before", "teacher", model));
    return model;
  }
  console.stage(
      fmt::format("first the teacher learns the classes of {}, into {}", request.data, folder.string()));
  const ProposalRequest tuning{.data = request.data,
                               .from = request.teacher,
                               .teacher = "",
                               .student = "",
                               .changes = request.changes};
  Stage stage = stage_of(propose_training(look_for_proposal(tuning)), folder.string(),
                         of_both_stages(overrides, console), flags);
  stage.flags.resume = flags.common.resume && fs::exists(folder / "config.yaml");
  const TrainingOutcome outcome = run_stage(stage, "model", console);
  exit_code = outcome.exit_code;
  if (!outcome.result.complete) return std::nullopt;
  return model;
}

}  // namespace

std::optional<ProposalRequest> proposal_request(const std::vector<std::string>& args,
                                                const RecipeFlags& flags, const std::string& model_dir) {
  const RecipeArgs split = split_args(args, flags);
  const bool asked = !flags.from.empty() || !flags.teacher.empty() || !flags.student.empty();
  const bool is_data = fs::exists(split.recipe) && !is_recipe_name(split.recipe);
  if (!is_data) {
    if (asked && split.recipe.empty())
      fail(ExitCode::usage, "no data given; write e.g. `mgd distill photos --teacher MODEL`");
    if (asked && !fs::exists(split.recipe) && !is_recipe_name(split.recipe))
      fail(ExitCode::missing_input, "{}: no such data", split.recipe);
    if (asked)
      fail(ExitCode::usage,
           "{} is a recipe: it names its models itself; write teacher.path=, student.model= or "
           "student.weights=",
           split.recipe);
    return std::nullopt;
  }
  if (model_dir == "student" && flags.teacher.empty())
    fail(ExitCode::usage, "{} is no recipe (.yaml); to distil on it, name the teacher with --teacher MODEL",
         split.recipe);
  if (!flags.from.empty() && !flags.student.empty())
    fail(ExitCode::usage,
         "--from and --student contradict each other: given weights know their architecture");
  ProposalRequest request{
      .data = split.recipe, .from = flags.from, .teacher = flags.teacher, .student = flags.student};
  for (const std::string& assignment : split.overrides)
    if (assignment.starts_with("data.")) request.changes.push_back(assignment);
  return request;
}

int run_proposed(const ProposalRequest& request, const std::vector<std::string>& overrides,
                 const RecipeFlags& flags, const std::string& model_dir) {
  Console console(flags.common.quiet, flags.common.color);
  const std::string run_dir =
      !flags.common.run_dir.empty()
          ? flags.common.run_dir
          : (fs::path("runs") / fs::path(request.data).lexically_normal().stem()).string();
  ProposalRequest wanted = request;
  if (!request.teacher.empty() && !knows_the_classes(request)) {
    int exit_code = 0;
    const auto teacher = fine_tuned_teacher(request, run_dir, overrides, flags, console, exit_code);
    if (!teacher && flags.common.dry_run)
      console.note("the student's own run can be tried only when the teacher has learned the classes");
    if (!teacher) return exit_code;
    wanted.teacher = *teacher;
  }
  const ProposalFacts facts = look_for_proposal(wanted);
  const Stage stage = stage_of(wanted.teacher.empty() ? propose_training(facts) : propose_distillation(facts),
                               run_dir, overrides, flags);
  const TrainingOutcome outcome = run_stage(stage, model_dir, console);
  if (outcome.result.complete) print_outcome(outcome, model_dir, flags.common.json);
  return outcome.exit_code;
}

}  // namespace mgd
