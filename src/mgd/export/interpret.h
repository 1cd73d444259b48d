// Runs a graph with LibTorch: to fold constants, to calibrate, and to check a graph against its model. An
// independent reading of what each node says, slower than either.
#pragma once

#include <functional>
#include <span>

#include "mgd/export/graph.h"

namespace mgd {

// One node: outputs in their order. inputs: as many as the node has; undefined for "". Throws Error(internal)
// for a node it does not know.
std::vector<at::Tensor> run_node(const OnnxNode& node, const std::vector<at::Tensor>& inputs);

// Outputs of the graph by name. `see` gets every value as it is made; what nobody reads any more is freed.
using SeeValue = std::function<void(const std::string& name, const at::Tensor& value)>;
Tensors run_graph(const Graph& graph, const Tensors& inputs, const SeeValue& see = {});

// The operators it knows, for run_node.
struct NodeReader {
  const char* op;
  std::vector<at::Tensor> (*run)(const OnnxNode& node, const std::vector<at::Tensor>& inputs);
};
std::span<const NodeReader> layer_readers();
std::span<const NodeReader> arithmetic_readers();
std::span<const NodeReader> shape_readers();

// An attribute, or `absent` where the node has none.
std::int64_t attribute(const OnnxNode& node, const char* name, std::int64_t absent);
float attribute(const OnnxNode& node, const char* name, float absent);
std::vector<std::int64_t> attribute(const OnnxNode& node, const char* name, std::vector<std::int64_t> absent);

// A list of whole numbers that a node takes as a tensor.
std::vector<std::int64_t> integers_of(const at::Tensor& tensor);

}  // namespace mgd
