// What a decoder remembers of the tokens that it has read, so that each is computed once.
//
// Generation: cache = model.new_cache(S) (encoder-decoder: new_cache(source, forward)); hidden =
// model.decode(prompt tokens, cache, forward); then one token a sequence at a time. Between two calls
// sequences may be dropped, copied or reordered (beam search), or shortened.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "mgd/ops/masked_attention.h"

namespace mgd {

class KvCache {
 public:
  struct Layer {
    at::Tensor k, v;  // (S * capacity, H, D): row s * capacity + t is token t of sequence s
  };

  KvCache(std::int64_t layers, std::int64_t sequences);

  std::int64_t num_sequences() const { return static_cast<std::int64_t>(lengths_.size()); }
  const std::vector<std::int64_t>& lengths() const { return lengths_; }  // S: tokens held of each

  // Sequence i becomes a copy of the old sequences[i]: {2, 0} keeps two of three and swaps them, {0, 0, 0, 0}
  // starts four beams.
  void select(const std::vector<std::int64_t>& sequences);

  // Forgets all but the first lengths[s] tokens of each sequence.
  void truncate(const std::vector<std::int64_t>& lengths);

  // For the models. begin() makes room for new tokens of each sequence (ragged, packed: S + 1 offsets);
  // append() then stores their keys and values, layer by layer, and gives the layer's whole buffers;
  // segments() says where queries and keys of each sequence lie.
  void begin(const std::vector<std::int64_t>& offsets);
  const Layer& append(std::int64_t layer, const at::Tensor& k, const at::Tensor& v);  // (N, H, D) each
  const std::vector<AttentionSegment>& segments() const { return segments_; }

  // Encoder-decoder: keys and values of the source, projected once. Copies of a sequence share its rows.
  void set_source(std::vector<Layer> layers, const std::vector<std::int64_t>& offsets);
  bool has_source() const { return !source_.empty(); }
  const Layer& source(std::int64_t layer) const { return source_.at(static_cast<std::size_t>(layer)); }
  const std::vector<AttentionSegment>& source_segments() const { return source_segments_; }

 private:
  void grow(std::int64_t capacity);
  void require_one_each(std::size_t got, const char* what) const;

  std::vector<std::int64_t> lengths_;
  std::int64_t capacity_ = 0;
  std::vector<Layer> layers_;
  at::Tensor rows_;  // (N) int64, where the new tokens go
  std::vector<AttentionSegment> segments_;
  std::vector<Layer> source_;  // (M, H, D) packed
  std::vector<AttentionSegment> source_segments_;
};

}  // namespace mgd
