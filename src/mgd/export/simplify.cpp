#include "mgd/export/simplify.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/rsqrt.h>

#include <algorithm>
#include <optional>
#include <set>

#include "mgd/core/error.h"
#include "mgd/export/interpret.h"

namespace mgd {

namespace {

using Ints = std::vector<std::int64_t>;

void compute_constants(Graph& graph) {
  for (const OnnxNode& node : graph.nodes) {
    std::vector<at::Tensor> inputs;
    for (const auto& name : node.inputs)
      if (graph.is_constant(name)) inputs.push_back(graph.constants.at(name));
    if (inputs.size() != node.inputs.size() || inputs.empty()) continue;
    const auto results = run_node(node, inputs);
    for (std::size_t i = 0; i < results.size(); ++i)
      graph.constants.emplace(node.outputs[i], results[i].contiguous());
  }
  std::erase_if(graph.nodes, [&](const OnnxNode& node) { return graph.is_constant(node.outputs[0]); });
}

// The Conv that alone feeds this value and has constant weights.
OnnxNode* convolution_before(Graph& graph, const std::string& value, const std::map<std::string, int>& uses,
                             const std::map<std::string, std::size_t>& writers) {
  const auto it = writers.find(value);
  if (it == writers.end() || uses.at(value) != 1) return nullptr;
  OnnxNode& node = graph.nodes[it->second];
  const bool constant = std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                                    [&](const std::string& input) { return graph.is_constant(input); });
  return node.op == "Conv" && constant ? &node : nullptr;
}

// norm(conv(x)) is a convolution with weights w s and bias (b - mean) s + shift, s = scale / sqrt(var + eps).
void fold_norm(Graph& graph, OnnxNode& conv, const OnnxNode& norm) {
  const auto constant = [&](std::size_t i) { return graph.constants.at(norm.inputs[i]); };
  const at::Tensor scale = constant(1) * at::rsqrt(constant(4) + attribute(norm, "epsilon", 1e-5F));
  at::Tensor shift = constant(2) - constant(3) * scale;
  if (conv.inputs.size() > 2) shift = shift + graph.constants.at(conv.inputs[2]) * scale;
  const at::Tensor weight = graph.constants.at(conv.inputs[1]) * scale.view({-1, 1, 1, 1});
  const std::string layer = conv.inputs[1].substr(0, conv.inputs[1].rfind(".weight"));
  // Weights that others read too stay as they are for them.
  const auto fresh = [&](const std::string& wish, int allowed) {
    const auto uses = uses_of(graph);
    const auto it = uses.find(wish);
    return it == uses.end() || it->second <= allowed ? wish : free_name(graph, wish);
  };
  const std::string weight_name = fresh(conv.inputs[1], 1),
                    bias_name = fresh(layer + ".bias", conv.inputs.size() > 2 ? 1 : 0);
  graph.constants[weight_name] = weight;
  graph.constants[bias_name] = shift;
  conv.inputs = {conv.inputs[0], weight_name, bias_name};
  conv.outputs = norm.outputs;
}

bool fold_one_norm(Graph& graph) {
  const auto uses = uses_of(graph);
  const auto writers = writers_of(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const OnnxNode norm = graph.nodes[i];
    if (norm.op != "BatchNormalization") continue;
    OnnxNode* conv = convolution_before(graph, norm.inputs[0], uses, writers);
    if (conv == nullptr) continue;
    fold_norm(graph, *conv, norm);
    graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    return true;
  }
  return false;
}

// Above, left, below, right of a Pad that adds zeros to maps and nothing else.
std::optional<Ints> zero_borders(const Graph& graph, const OnnxNode& pad) {
  if (pad.op != "Pad" || !graph.is_constant(pad.inputs[1])) return std::nullopt;
  if (pad.inputs.size() > 2 && graph.constants.at(pad.inputs[2]).item<double>() != 0) return std::nullopt;
  const Ints pads = integers_of(graph.constants.at(pad.inputs[1]));
  if (pads.size() != 8 || pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0) return std::nullopt;
  const Ints borders{pads[2], pads[3], pads[6], pads[7]};
  if (std::any_of(borders.begin(), borders.end(), [](std::int64_t p) { return p < 0; })) return std::nullopt;
  return borders;
}

void fold_padding(Graph& graph) {
  const auto writers = writers_of(graph);
  for (OnnxNode& conv : graph.nodes) {
    if (conv.op != "Conv") continue;
    const auto it = writers.find(conv.inputs[0]);
    if (it == writers.end()) continue;
    const OnnxNode& pad = graph.nodes[it->second];
    const auto borders = zero_borders(graph, pad);
    if (!borders) continue;
    Ints pads = attribute(conv, "pads", Ints{0, 0, 0, 0});
    for (std::size_t i = 0; i < 4; ++i) pads[i] += (*borders)[i];
    conv.attributes["pads"] = pads;
    conv.inputs[0] = pad.inputs[0];
  }
}

}  // namespace

void simplify(Graph& graph) {
  compute_constants(graph);
  while (fold_one_norm(graph)) {
  }
  fold_padding(graph);
  drop_unused(graph);
}

void to_float(Graph& graph) {
  for (auto& [name, tensor] : graph.constants)
    if (tensor.scalar_type() == at::kDouble) tensor = tensor.to(at::kFloat);
}

void name_nodes(Graph& graph) {
  std::set<std::string> taken;
  for (OnnxNode& node : graph.nodes) {
    std::string wish = node.outputs[0];
    for (const auto& input : node.inputs)
      if (graph.is_constant(input) && input.ends_with(".weight")) wish = input.substr(0, input.size() - 7);
    std::string name = wish;
    for (int n = 2; !taken.insert(name).second; ++n) name = wish + "_" + std::to_string(n);
    node.name = name;
  }
}

}  // namespace mgd
