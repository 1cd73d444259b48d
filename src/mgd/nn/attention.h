// Attention with its projections, under the names of any architecture.
#pragma once

#include <string>

#include "mgd/core/philox.h"
#include "mgd/nn/kv_cache.h"
#include "mgd/nn/layers.h"
#include "mgd/nn/text_layers.h"

namespace mgd {

// Paths within the attention's own path; either `qkv` or the three of them.
struct AttentionNames {
  const char* path = nullptr;
  const char *query = nullptr, *key = nullptr, *value = nullptr, *qkv = nullptr, *out = nullptr;
  const char* core = "";  // where its maps ("probs") and what it gathers ("context") stand; "": right here
};

struct AttentionLayerOptions {
  std::int64_t hidden = 0, heads = 0;
  bool bias = true, in_first = false;  // of the projections
  bool cross = false;                  // keys and values come from the pass's memory, not from x
  bool causal = false;
  std::int64_t window = -1;
  double dropout = 0;  // of the probabilities
  double deviation = 0.02, out_deviation = 0.02;
};

// What one pass tells an attention of its surroundings.
struct AttentionPass {
  const std::vector<AttentionSegment>* segments = nullptr;
  const Rotary* rotary = nullptr;
  at::Tensor memory;         // (M, H): where cross-attention takes keys and values from
  KvCache* cache = nullptr;  // decoding: keys, values and segments are those of the cache
  std::int64_t layer = 0;    // which layer of the cache
};

// Nodes CORE.context, the gathered values before the output projection, (N, hidden); and CORE.probs, the
// maps, (S, heads, T, T'), 0 beyond the end of a sequence: computed only when somebody takes them. They can
// be taken, not edited: Error(usage).
class Attention : public Module {
 public:
  Attention(const AttentionNames& names, const AttentionLayerOptions& options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, const AttentionPass& pass, Forward& forward);  // (N, hidden)

  // Keys and values of a source, for KvCache::set_source: (M, hidden) -> (M, heads, D) each.
  KvCache::Layer project_source(const at::Tensor& memory, Forward& forward);

 private:
  struct Projected {
    at::Tensor q;  // (N, heads, D)
    KvCache::Layer kv;
  };
  Projected project(const at::Tensor& x, const AttentionPass& pass, Forward& forward);
  at::Tensor heads_of(const at::Tensor& x) const;  // (N, hidden) -> (N, heads, D)
  AttentionOptions kernel_options(Forward& forward) const;
  void offer_maps(const at::Tensor& q, const at::Tensor& k, const std::vector<AttentionSegment>& segments,
                  Forward& forward);
  std::string core() const;

  AttentionLayerOptions options_;
  std::string core_;
  Linear *query_ = nullptr, *key_ = nullptr, *value_ = nullptr, *qkv_ = nullptr;
  Linear* out_ = nullptr;
};

// Pairs (query, key) that see each other: what attention costs.
std::int64_t visible_pairs(const std::vector<AttentionSegment>& segments, bool causal, std::int64_t window);

}  // namespace mgd
