// What a model gives at one of its nodes, and what the axes of it mean.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mgd {

enum class Axes {
  map,     // (B, C, Y, X): of one sample {C, Y, X}
  rows,    // (N, H): a row a token, sequences end to end; of one token {H}
  vector,  // (B, K), also one for each sequence: {K}
  other,   // nothing that losses compare: maps of attention, rows of targets
};

const char* axes_name(Axes axes);  // "a map (C, Y, X)", "rows (H)", "a vector (K)", "other"

struct Value {
  at::Tensor data;
  Axes axes = Axes::other;
  std::vector<std::int64_t> offsets{};  // rows: sequence s is rows [offsets[s], offsets[s + 1]); else empty
};

// What is known of a node before any batch.
struct NodeInfo {
  Axes axes = Axes::other;
  std::vector<std::int64_t> sizes;  // of one sample or token, see Axes
  bool of_decoder = false;          // rows: of Batch::decoder_tokens
  bool of_sequence = false;         // vector: one for each sequence, not for each sample
};
using NodeInfos = std::map<std::string, NodeInfo>;

// "(64, 8, 8)".
std::string sizes_text(const std::vector<std::int64_t>& sizes);

}  // namespace mgd
