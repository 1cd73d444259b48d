#include "mgd/export/graph.h"

#include <algorithm>
#include <set>
#include <utility>

namespace mgd {

std::map<std::string, int> uses_of(const Graph& graph) {
  std::map<std::string, int> uses;
  for (const auto& node : graph.nodes)
    for (const auto& input : node.inputs) ++uses[input];
  for (const auto& output : graph.outputs) ++uses[output.name];
  return uses;
}

std::map<std::string, std::size_t> writers_of(const Graph& graph) {
  std::map<std::string, std::size_t> writers;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (const auto& output : graph.nodes[i].outputs) writers[output] = i;
  return writers;
}

void replace_uses(Graph& graph, const std::string& from, const std::string& to) {
  for (auto& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
}

void rename_values(Graph& graph, const std::map<std::string, std::string>& names) {
  const auto rename = [&](std::string& name) {
    if (const auto it = names.find(name); it != names.end()) name = it->second;
  };
  for (auto& value : graph.inputs) rename(value.name);
  for (auto& value : graph.outputs) rename(value.name);
  for (auto& node : graph.nodes) {
    std::for_each(node.inputs.begin(), node.inputs.end(), rename);
    std::for_each(node.outputs.begin(), node.outputs.end(), rename);
  }
  Tensors constants;
  for (auto& [name, tensor] : graph.constants) {
    std::string renamed = name;
    rename(renamed);
    constants.emplace(std::move(renamed), std::move(tensor));
  }
  graph.constants = std::move(constants);
}

void drop_unused(Graph& graph) {
  std::set<std::string> wanted;
  for (const auto& output : graph.outputs) wanted.insert(output.name);
  std::vector<OnnxNode> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (std::none_of(node->outputs.begin(), node->outputs.end(),
                     [&](const std::string& name) { return wanted.contains(name); }))
      continue;
    wanted.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(std::move(*node));
  }
  std::reverse(kept.begin(), kept.end());
  graph.nodes = std::move(kept);
  std::erase_if(graph.constants, [&](const auto& entry) { return !wanted.contains(entry.first); });
}

std::string free_name(const Graph& graph, const std::string& wish) {
  const auto writers = writers_of(graph);
  const auto taken = [&](const std::string& name) {
    return graph.constants.contains(name) || writers.contains(name) ||
           std::any_of(graph.inputs.begin(), graph.inputs.end(),
                       [&](const OnnxValue& input) { return input.name == name; });
  };
  std::string name = wish;
  for (int n = 2; taken(name); ++n) name = wish + "_" + std::to_string(n);
  return name;
}

}  // namespace mgd
