// The graph that is exported: nodes and attributes of ONNX, constants as tensors. Values are known by name,
// each written by one node.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "mgd/format/onnx.h"

namespace mgd {

using Tensors = std::map<std::string, at::Tensor>;

struct Graph {
  std::vector<OnnxValue> inputs, outputs;
  std::vector<OnnxNode> nodes;  // each after those it reads from
  Tensors constants;

  bool is_constant(const std::string& value) const { return constants.contains(value); }
};

// How many nodes and graph outputs read each value.
std::map<std::string, int> uses_of(const Graph& graph);

// The node that writes each value, by its place in `nodes`.
std::map<std::string, std::size_t> writers_of(const Graph& graph);

// Everything that reads `from` reads `to`; graph outputs keep their names.
void replace_uses(Graph& graph, const std::string& from, const std::string& to);

// Renames values everywhere, constants and borders of the graph included.
void rename_values(Graph& graph, const std::map<std::string, std::string>& names);

// Takes out nodes and constants that no output needs.
void drop_unused(Graph& graph);

// `wish`, or `wish`_2, `wish`_3, ... where that name stands for another value or constant.
std::string free_name(const Graph& graph, const std::string& wish);

}  // namespace mgd
