// Sequences laid end to end: padding exists at the borders of the program only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace mgd {

// N tokens of S sequences; sequence s is rows [offsets[s], offsets[s + 1]). Nothing is hidden in it: what a
// padding mask would hide is not there.
struct PackedTokens {
  at::Tensor ids;        // (N) int64
  at::Tensor positions;  // (N) int64, 0-based within the sequence; a cache or left padding shifts them
  at::Tensor type_ids;   // (N) int64: 0 first, 1 second sentence of a pair; undefined: all 0
  std::vector<std::int64_t> offsets;  // S + 1, from 0 to N

  std::int64_t num_tokens() const { return offsets.empty() ? 0 : offsets.back(); }
  std::int64_t num_sequences() const {
    return offsets.empty() ? 0 : static_cast<std::int64_t>(offsets.size()) - 1;
  }
};

// The output layer of a language model as data, so that only rows that are asked for are ever projected:
// logits = hidden . weight^T + bias.
struct LmHead {
  at::Tensor hidden;  // (n, H): one row a target, after the head's own transform
  at::Tensor weight;  // (V, H), often tied to the embedding
  at::Tensor bias;    // (V); undefined: none
  // (n) int64: `hidden` has rows of no target too, and these are the targets'. Undefined: one row a target.
  at::Tensor rows{};
  at::Tensor logits{};  // (n, V) float or double, where several losses read them; undefined: not computed
  bool defined() const { return weight.defined(); }
};

// What is kept of a language model's scores at n targets: softmax(scores / temperature) of the k likeliest
// entries, and what all others have together.
struct TopScores {
  at::Tensor ids;       // (n, k) int64, the likeliest first
  at::Tensor log_p;     // (n, k) float
  at::Tensor log_rest;  // (n) float; -inf where k = V
  double temperature = 1;
  bool defined() const { return ids.defined(); }
};

}  // namespace mgd
