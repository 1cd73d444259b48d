// What flows through one step, as plain structs of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mgd/types/tokens.h"

namespace mgd {

// One micro-batch of B samples. A task fills what it uses and leaves the rest undefined.
struct Batch {
  at::Tensor input;          // images: (B, C, Y, X) float, normalised
  at::Tensor teacher_input;  // the same samples as a teacher of another size sees them; undefined: as in
                             // `input`, or made when they are asked for (teacher_forward)
  PackedTokens tokens;  // text: what the encoder, or a decoder alone, reads; sentence pairs to compare: 2 B
                        // sequences, 2 i and 2 i + 1 are a pair
  PackedTokens decoder_tokens;  // encoder-decoder: what its decoder reads; as many sequences as `tokens`
  // Rows of `tokens` (of `decoder_tokens` where there are some) whose next or hidden token is a target;
  // language models give one row of LmHead::hidden for each. (n) int64; undefined: every row
  at::Tensor target_rows;
  at::Tensor target;        // (B) int64 class index | (n) int64 token id of each target row | (B) float score
  at::Tensor target_probs;  // (B, K) float: soft targets of MixUp and CutMix; undefined when targets are hard
  std::vector<std::int64_t>
      sample_ids;  // B, index of each sample in its dataset: the key of everything random
  // S, one for each sequence of `tokens`: the key of what is random within it. Empty: sequence s is sample s.
  std::vector<std::int64_t> sequence_ids;
  std::int64_t view = -1;  // which augmented variant of its samples this is; -1: one that never comes again
  std::int64_t size() const { return static_cast<std::int64_t>(sample_ids.size()); }
  std::int64_t num_targets() const { return target.defined() ? target.size(0) : 0; }
};

using Features = std::map<std::string, at::Tensor>;  // tap name -> activation, e.g. (B, C, Y, X)

struct ModelOutput {
  at::Tensor logits;     // (B, K) classifiers; (N, K) token classifiers
  at::Tensor embedding;  // (S, H) sentence encoders, a row a sequence
  LmHead head;           // language models
  Features taps;
};

// Shape of one sample's activation at a tap, without the batch: {C, Y, X} for maps, {K} for vectors.
using TapShape = std::vector<std::int64_t>;
using TapShapes = std::map<std::string, TapShape>;

}  // namespace mgd
