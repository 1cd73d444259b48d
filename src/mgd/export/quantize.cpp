#include "mgd/export/quantize.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/round.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"

namespace mgd {

namespace {

bool is_layer(const Graph& graph, const OnnxNode& node) {
  return (node.op == "Conv" || node.op == "Gemm") && graph.is_constant(node.inputs[1]) &&
         (node.inputs.size() < 3 || graph.is_constant(node.inputs[2]));
}

bool is_one_of(const std::string& op, std::initializer_list<const char*> ops) {
  return std::any_of(ops.begin(), ops.end(), [&](const char* known) { return op == known; });
}

// Its result has the same levels as its input.
bool only_moves(const OnnxNode& node) {
  return is_one_of(node.op, {"MaxPool", "Flatten", "Reshape", "Transpose"});
}

// Runtimes have it in 8 bits.
bool joins(const OnnxNode& node) {
  return only_moves(node) || is_one_of(node.op, {"Add", "Concat", "GlobalAveragePool", "AveragePool"});
}

// Where a value goes only into a Relu or Clip, that one's result: the limits become those of the levels.
std::string after_activation(const Graph& graph, const std::string& value,
                             const std::map<std::string, int>& uses) {
  if (uses.at(value) != 1) return value;
  for (const OnnxNode& node : graph.nodes)
    if (is_one_of(node.op, {"Relu", "Clip"}) && node.inputs[0] == value) return node.outputs[0];
  return value;
}

std::int64_t zero_point(Range range, double scale) {
  return std::clamp<std::int64_t>(std::llround(-range.low / scale), 0, 255);
}

double scale_of(Range range) {
  const double width = range.high - range.low;
  return width > 0 ? width / 255 : 1;
}

class Quantizer {
 public:
  Quantizer(const Graph& graph, const Ranges& ranges, const std::set<std::string>& layers, WeightBits bits)
      : graph_(graph),
        ranges_(ranges),
        layers_(layers),
        most_(static_cast<double>(bits)),
        values_(quantized_values(graph, layers)) {}

  Graph run() {
    out_ = graph_;
    out_.nodes.clear();
    share_levels();
    for (const auto& input : graph_.inputs)
      if (values_.contains(input.name)) add_pair(input.name);
    for (const OnnxNode& node : graph_.nodes) add(node);
    drop_unused(out_);
    return std::move(out_);
  }

 private:
  static std::string rounded(const std::string& value) { return value + "/rounded"; }

  // In order, so that a chain of such nodes has the levels of its first.
  void share_levels() {
    for (const OnnxNode& node : graph_.nodes)
      if (only_moves(node) && values_.contains(node.inputs[0]) && values_.contains(node.outputs[0]))
        ranges_[node.outputs[0]] = ranges_.at(node.inputs[0]);
  }

  void add(OnnxNode node) {
    const bool is_chosen = is_layer(graph_, node) && layers_.contains(node.name);
    if (is_chosen) add_weights(node);
    for (auto& input : node.inputs)
      if (values_.contains(input)) input = rounded(input);
    const std::string made = node.outputs[0];
    out_.nodes.push_back(std::move(node));
    if (values_.contains(made)) add_pair(made);
  }

  // value -> 8 bits -> value/rounded
  void add_pair(const std::string& value) {
    const Range range = ranges_.at(value);
    const double scale = scale_of(range);
    const std::string scale_name = value + "/scale", zero_name = value + "/zero_point",
                      level = value + "/level";
    out_.constants[scale_name] = at::scalar_tensor(scale, at::kFloat);
    out_.constants[zero_name] = at::full({}, zero_point(range, scale), at::kByte);
    out_.nodes.push_back({.op = "QuantizeLinear",
                          .name = value + "/quantize",
                          .inputs = {value, scale_name, zero_name},
                          .outputs = {level}});
    out_.nodes.push_back({.op = "DequantizeLinear",
                          .name = value + "/dequantize",
                          .inputs = {level, scale_name, zero_name},
                          .outputs = {rounded(value)}});
  }

  std::string add_dequantized(const std::string& name, const at::Tensor& levels, const at::Tensor& scale) {
    out_.constants[name] = levels;
    out_.constants[name + "/scale"] = scale;
    out_.constants[name + "/zero_point"] = at::zeros(scale.sizes(), levels.scalar_type());
    out_.nodes.push_back({.op = "DequantizeLinear",
                          .name = name + "/dequantize",
                          .inputs = {name, name + "/scale", name + "/zero_point"},
                          .outputs = {rounded(name)},
                          .attributes = {{"axis", std::int64_t{0}}}});
    return rounded(name);
  }

  // A channel whose norm has switched it off has tiny weights; its bias must still fit 32 bits.
  void add_weights(OnnxNode& node) {
    constexpr double kMostBias = 1 << 30;
    const at::Tensor weight = graph_.constants.at(node.inputs[1]).to(at::kDouble);
    const at::Tensor rows = weight.flatten(1);
    const double input_scale = scale_of(ranges_.at(node.inputs[0]));
    at::Tensor scale = rows.abs().amax(1) / most_;
    at::Tensor bias;
    if (node.inputs.size() > 2) {
      bias = graph_.constants.at(node.inputs[2]).to(at::kDouble);
      scale = at::maximum(scale, bias.abs() / (input_scale * kMostBias));
    }
    scale = at::where(scale > 0, scale, at::ones_like(scale)).to(at::kFloat);
    std::vector<std::int64_t> column(static_cast<std::size_t>(weight.dim()), 1);
    column[0] = -1;
    const at::Tensor precise = scale.to(at::kDouble);
    const at::Tensor levels = at::round(weight / precise.view(column)).clamp(-most_, most_).to(at::kChar);
    node.inputs[1] = add_dequantized(node.name + ".weight/int8", levels, scale);
    if (!bias.defined()) return;
    const at::Tensor bias_scale = (precise * input_scale).to(at::kFloat);
    node.inputs[2] = add_dequantized(node.name + ".bias/int32",
                                     at::round(bias / bias_scale.to(at::kDouble)).to(at::kInt), bias_scale);
  }

  const Graph& graph_;
  Ranges ranges_;
  const std::set<std::string>& layers_;
  const double most_;  // level of a weight
  const std::set<std::string> values_;
  Graph out_;
};

}  // namespace

std::vector<std::string> quantizable_layers(const Graph& graph) {
  std::vector<std::string> names;
  for (const OnnxNode& node : graph.nodes)
    if (is_layer(graph, node)) names.push_back(node.name);
  return names;
}

std::set<std::string> quantized_values(const Graph& graph, const std::set<std::string>& layers) {
  const auto uses = uses_of(graph);
  std::set<std::string> values, outputs;
  for (const auto& output : graph.outputs) outputs.insert(output.name);
  const auto add = [&](const std::string& value) {
    if (!outputs.contains(value)) values.insert(value);  // a caller gets the sums as they are
  };
  for (const OnnxNode& node : graph.nodes) {
    const bool all = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
      return values.contains(input) || (graph.is_constant(input) && only_moves(node));
    });
    if (is_layer(graph, node) && layers.contains(node.name)) {
      add(node.inputs[0]);
      add(after_activation(graph, node.outputs[0], uses));
    } else if (joins(node) && all) {
      add(after_activation(graph, node.outputs[0], uses));
    }
  }
  return values;
}

Graph quantized(const Graph& graph, const Ranges& ranges, const std::set<std::string>& layers,
                WeightBits bits) {
  return Quantizer(graph, ranges, layers, bits).run();
}

}  // namespace mgd
