#include "mgd/mask/objective.h"

#include "mgd/core/error.h"
#include "mgd/mask/objectives.h"

namespace mgd {

namespace {

struct BuiltinObjective {
  const char* task;
  std::unique_ptr<Objective> (*make)(ObjectiveContext context);
};

constexpr BuiltinObjective kObjectives[] = {
    {"mlm", make_masked_lm},          {"clm", make_causal_lm},    {"denoise", make_denoise},
    {"classify", make_classify_text}, {"embed", make_embed_text},
};

}  // namespace

std::unique_ptr<Objective> make_objective(const std::string& task, const ObjectiveConfig& config,
                                          TokenRoles roles, std::uint64_t seed) {
  for (const auto& [name, make] : kObjectives)
    if (task == name) return make({.config = config, .roles = std::move(roles), .seed = seed});
  fail(ExitCode::usage, "task: unknown objective '{}'{}", task, suggestion(task, known_objectives()));
}

std::vector<std::string> known_objectives() {
  std::vector<std::string> names;
  for (const auto& objective : kObjectives) names.emplace_back(objective.task);
  return names;
}

std::unique_ptr<Objective> make_eval_objective(const std::string& task, ObjectiveConfig config,
                                               TokenRoles roles) {
  constexpr std::uint64_t kSeed = 0;
  config.variants = 1;
  return make_objective(task, config, std::move(roles), kSeed);
}

}  // namespace mgd
