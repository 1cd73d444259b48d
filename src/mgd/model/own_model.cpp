#include "mgd/model/own_model.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"

namespace mgd {

const OwnModel* find_own(std::span<const OwnModel> own, const std::string& name) {
  const auto found = std::find_if(own.begin(), own.end(), [&](const OwnModel& m) { return m.name == name; });
  return found == own.end() ? nullptr : &*found;
}

void check_own(std::span<const OwnModel> own) {
  for (const OwnModel& model : own) {
    if (model.name.empty() || model.build == nullptr)
      fail(ExitCode::usage, "own model '{}': got no {}, expected a name and a function that builds it",
           model.name, model.name.empty() ? "name" : "function");
    if (find_architecture(model.name) != nullptr)
      fail(ExitCode::usage, "own model '{}': a network of the library has this name; take another",
           model.name);
    if (find_own(own, model.name) != &model)
      fail(ExitCode::usage, "own model '{}': the name is there twice", model.name);
  }
}

std::vector<std::string> known_models(std::span<const OwnModel> own) {
  std::vector<std::string> names = known_models();
  for (const OwnModel& model : own) names.push_back(model.name);
  return names;
}

}  // namespace mgd
