#include "mgd/format/flat_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace mgd {

namespace {

constexpr const char* kWithoutEffect[] = {"run.",
                                          "data.path",
                                          "data.loader_threads",
                                          "data.cache_mb",
                                          "text.cache_dir",
                                          "train.teacher_cache",
                                          "train.log_every",
                                          "train.checkpoint_every",
                                          "train.gradient_shares"};

bool changes_results(const std::string& key) {
  return std::none_of(std::begin(kWithoutEffect), std::end(kWithoutEffect),
                      [&](const char* prefix) { return key.starts_with(prefix); });
}

void flatten(const Node& node, const std::string& prefix, std::map<std::string, std::string>& out) {
  if (node.kind == Node::Kind::map) {
    for (const auto& [key, value] : node.fields)
      flatten(value, prefix.empty() ? key : prefix + "." + key, out);
  } else if (changes_results(prefix)) {
    out[prefix] = node.kind == Node::Kind::list ? to_yaml_flow(node) : node.scalar;
  }
}

}  // namespace

std::map<std::string, std::string> flat_config(const Node& config) {
  std::map<std::string, std::string> out;
  flatten(config, "", out);
  return out;
}

std::vector<std::string> config_changes(const Node& was, const Node& is) {
  const auto before = flat_config(was), after = flat_config(is);
  std::set<std::string> keys;
  for (const auto* side : {&before, &after})
    for (const auto& [key, value] : *side) keys.insert(key);
  const auto text = [](const std::map<std::string, std::string>& side, const std::string& key) {
    const auto found = side.find(key);
    return found == side.end() ? std::string("(none)") : found->second;
  };
  std::vector<std::string> changes;
  for (const std::string& key : keys)
    if (text(before, key) != text(after, key))
      changes.push_back(fmt::format("{}: {} -> {}", key, text(before, key), text(after, key)));
  return changes;
}

}  // namespace mgd
