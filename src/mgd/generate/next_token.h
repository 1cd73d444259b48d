// The logits of the token that comes next, with a cache or without.
#pragma once

#include <optional>
#include <span>

#include "mgd/generate/sampling.h"
#include "mgd/model/text_model.h"

namespace mgd {

// S sequences that grow. Nothing is ever padded: sequences of any lengths lie end to end, so what one gets
// does not depend on the others.
class NextToken {
 public:
  // `sources`: what the encoder of an encoder-decoder reads; a decoder alone has none. Without `cached` every
  // call reads everything anew. Needs a causal language model.
  NextToken(TextModel& model, std::vector<TokenIds> sources, bool cached, at::Device device);

  // The whole of each sequence so far (not empty) -> (S, V) float, on the CPU.
  at::Tensor logits(std::span<const TokenIds> sequences);

  // Sequence i of the next call goes on from sequences[i] of the last one.
  void select(const std::vector<std::int64_t>& sequences);

 private:
  at::Tensor hidden_cached(std::span<const TokenIds> sequences, Forward& forward);  // (S, H)

  TextModel& model_;
  std::vector<TokenIds> sources_;
  const bool cached_;
  const at::Device device_;
  std::optional<KvCache> cache_;
};

// End to end, with positions from 0.
PackedTokens packed(std::span<const TokenIds> sequences, at::Device device);

}  // namespace mgd
