#include "mgd/mask/objective.h"

#include "mgd/core/error.h"
#include "mgd/mask/objectives.h"

namespace mgd {

namespace {

struct BuiltinObjective {
  const char* task;
  std::unique_ptr<Objective> (*make)(ObjectiveContext context);
  bool draws;
};

constexpr BuiltinObjective kObjectives[] = {
    {"mlm", make_masked_lm, true},     {"clm", make_causal_lm, false},
    {"denoise", make_denoise, true},   {"classify", make_classify_text, false},
    {"embed", make_embed_text, false},
};

}  // namespace

std::unique_ptr<Objective> make_objective(const std::string& task, const ObjectiveConfig& config,
                                          TokenRoles roles, std::uint64_t seed) {
  for (const auto& [name, make, draws] : kObjectives)
    if (task == name) return make({.config = config, .roles = std::move(roles), .seed = seed});
  fail(ExitCode::usage, "task: unknown objective '{}'{}", task, suggestion(task, known_objectives()));
}

std::vector<std::string> known_objectives() {
  std::vector<std::string> names;
  for (const auto& objective : kObjectives) names.emplace_back(objective.task);
  return names;
}

bool draws_masks(const std::string& task) {
  for (const auto& objective : kObjectives)
    if (task == objective.task) return objective.draws;
  return false;
}

std::unique_ptr<Objective> make_eval_objective(const std::string& task, ObjectiveConfig config,
                                               TokenRoles roles) {
  constexpr std::uint64_t kSeed = 0;
  config.variants = 1;
  return make_objective(task, config, std::move(roles), kSeed);
}

}  // namespace mgd
