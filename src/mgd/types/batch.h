// What flows through one step, as plain structs of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mgd {

// One micro-batch. B samples.
struct Batch {
  at::Tensor input;         // (B, C, Y, X) float, normalised
  at::Tensor target;        // (B) int64, class index
  at::Tensor target_probs;  // (B, K) float: soft targets of MixUp and CutMix; undefined when targets are hard
  std::vector<std::int64_t>
      sample_ids;          // B, index of each sample in its dataset: the key of everything random
  std::int64_t view = -1;  // which augmented variant of its samples this is; -1: one that never comes again
  std::int64_t size() const { return static_cast<std::int64_t>(sample_ids.size()); }
};

using Features = std::map<std::string, at::Tensor>;  // tap name -> activation, e.g. (B, C, Y, X)

struct ModelOutput {
  at::Tensor logits;  // (B, K)
  Features taps;
};

// Shape of one sample's activation at a tap, without the batch: {C, Y, X} for maps, {K} for vectors.
using TapShape = std::vector<std::int64_t>;
using TapShapes = std::map<std::string, TapShape>;

}  // namespace mgd
