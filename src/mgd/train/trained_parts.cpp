#include "mgd/train/trained_parts.h"

#include <fmt/core.h>

#include "mgd/core/error.h"
#include "mgd/format/name_pattern.h"

namespace mgd {

namespace {

// The names that a pattern means. `key` is where it was written, for the message when there are none.
std::vector<std::string> meant_by(const std::string& pattern, const Model& student, const Config& config,
                                  const std::string& key) {
  std::vector<std::string> all, meant;
  for (const NamedTensor& entry : student.parameters()) {
    all.push_back(entry.name);
    if (pattern == kAllButTheHead ? !student.of_head(entry.name) : matches_name(pattern, entry.name))
      meant.push_back(entry.name);
  }
  if (!meant.empty()) return meant;
  std::vector<std::string> known = names_and_layers(all);
  known.emplace_back(kAllButTheHead);
  fail(ExitCode::usage, "{}{}: '{}' is no layer or tensor of the student {}{}",
       place_of(origin_of(config.tree, key)), key, printable(pattern), student.architecture(),
       suggestion(pattern, known));
}

}  // namespace

TrainedParts choose_trained_parts(Model& student, const Config& config) {
  TrainedParts parts;
  std::map<std::string, NamedTensor> by_name;
  for (NamedTensor& entry : student.parameters()) by_name.emplace(entry.name, entry);
  for (const std::string& pattern : config.train.freeze)
    for (const std::string& name : meant_by(pattern, student, config, "train.freeze"))
      by_name.at(name).tensor.set_requires_grad(false);
  if (!config.train.freeze.empty()) student.settle_frozen();

  for (const auto& [pattern, factor] : config.train.lr_scale) {
    bool any_trains = false;
    for (const std::string& name : meant_by(pattern, student, config, "train.lr_scale")) {
      if (!by_name.at(name).tensor.requires_grad()) continue;
      any_trains = true;
      parts.lr_scale[name] = factor;
    }
    if (!any_trains)
      fail(ExitCode::usage, "{}train.lr_scale: '{}' means only what train.freeze keeps from training",
           place_of(origin_of(config.tree, "train.lr_scale")), printable(pattern));
  }
  std::erase_if(parts.lr_scale, [](const auto& entry) { return entry.second == 1; });

  bool any_trains = false;
  parts.head_alone = true;
  for (const auto& [name, entry] : by_name) {
    const bool trains = entry.tensor.requires_grad();
    any_trains = any_trains || trains;
    if (!trains) parts.frozen_parameters += entry.tensor.numel();
    if (trains != student.of_head(name)) parts.head_alone = false;
  }
  if (!any_trains)
    fail(ExitCode::usage, "{}train.freeze: nothing of the student is left to train",
         place_of(origin_of(config.tree, "train.freeze")));
  return parts;
}

std::vector<std::string> describe_parts(const TrainedParts& parts, const Model& student) {
  std::vector<std::string> lines;
  if (parts.frozen_parameters > 0)
    lines.push_back(fmt::format(
        "{:<10} {} of {} parameters; {}", "frozen", parts.frozen_parameters, student.num_parameters(),
        parts.head_alone ? "the head trains alone" : "their norms keep their statistics"));
  std::map<double, std::int64_t> tensors;
  for (const auto& [name, factor] : parts.lr_scale) ++tensors[factor];
  for (const auto& [factor, count] : tensors)
    lines.push_back(fmt::format("{:<10} rate x {:g} for {} tensors", "", factor, count));
  return lines;
}

double default_learning_rate(const std::string& optimizer, bool given_weights_train) {
  const double fresh = optimizer == "adamw" ? 1e-3 : 0.1;
  return given_weights_train ? fresh / 10 : fresh;
}

}  // namespace mgd
