#include "mgd/export/interpret.h"

#include <ATen/core/grad_mode.h>

#include "mgd/core/error.h"

namespace mgd {

namespace {

template <class T>
T attribute_or(const OnnxNode& node, const char* name, T absent) {
  const auto it = node.attributes.find(name);
  return it == node.attributes.end() ? absent : std::get<T>(it->second);
}

}  // namespace

std::int64_t attribute(const OnnxNode& node, const char* name, std::int64_t absent) {
  return attribute_or(node, name, absent);
}

float attribute(const OnnxNode& node, const char* name, float absent) {
  return attribute_or(node, name, absent);
}

std::vector<std::int64_t> attribute(const OnnxNode& node, const char* name,
                                    std::vector<std::int64_t> absent) {
  return attribute_or(node, name, std::move(absent));
}

std::vector<std::int64_t> integers_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kLong).contiguous();
  const auto* data = flat.const_data_ptr<std::int64_t>();
  return {data, data + flat.numel()};
}

std::vector<at::Tensor> run_node(const OnnxNode& node, const std::vector<at::Tensor>& inputs) {
  for (const auto readers : {layer_readers(), arithmetic_readers(), shape_readers()})
    for (const NodeReader& reader : readers)
      if (node.op == reader.op) return reader.run(node, inputs);
  fail(ExitCode::internal, "export: node {} '{}' cannot be run", node.op, node.name);
}

Tensors run_graph(const Graph& graph, const Tensors& inputs, const SeeValue& see) {
  const at::NoGradGuard no_grad;
  auto left = uses_of(graph);
  Tensors values = inputs;
  if (see)
    for (const auto& [name, value] : inputs) see(name, value);
  const auto value_of = [&](const std::string& name) {
    if (name.empty()) return at::Tensor();
    if (const auto it = graph.constants.find(name); it != graph.constants.end()) return it->second;
    return values.at(name);
  };
  for (const OnnxNode& node : graph.nodes) {
    std::vector<at::Tensor> arguments;
    for (const auto& name : node.inputs) arguments.push_back(value_of(name));
    const auto results = run_node(node, arguments);
    MGD_ASSERT(results.size() == node.outputs.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (see) see(node.outputs[i], results[i]);
      if (left[node.outputs[i]] > 0) values[node.outputs[i]] = results[i];
    }
    for (const auto& name : node.inputs)
      if (--left[name] == 0) values.erase(name);
  }
  Tensors outputs;
  for (const auto& output : graph.outputs) outputs[output.name] = value_of(output.name);
  return outputs;
}

}  // namespace mgd
