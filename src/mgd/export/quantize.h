// A graph in 8 bits: pairs of QuantizeLinear and DequantizeLinear around what computes, which runtimes turn
// into integer arithmetic (ONNX's "QDQ" form).
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "mgd/export/calibrate.h"
#include "mgd/export/graph.h"

namespace mgd {

// The convolutions and linear layers whose weights are constants, by node name, in order.
std::vector<std::string> quantizable_layers(const Graph& graph);

// The activations that become 8 bits when these layers do: what they read and make, after the activation
// behind them, and what sums, pools and concatenations make of such values alone.
std::set<std::string> quantized_values(const Graph& graph, const std::set<std::string>& layers);

// The largest level of a weight. x86 processors without VNNI add two products of an activation and a weight
// in 16 bits and saturate: 2 * 255 * 64 fits, 2 * 255 * 127 does not, and runtimes say nothing.
enum class WeightBits : std::int64_t { seven = 64, eight = 127 };

// Weights: int8, symmetric, a scale an output channel. Activations: uint8 over their range. Biases: int32 in
// the product of both scales. `ranges` covers quantized_values(graph, layers).
Graph quantized(const Graph& graph, const Ranges& ranges, const std::set<std::string>& layers,
                WeightBits bits = WeightBits::seven);

}  // namespace mgd
