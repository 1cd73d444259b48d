#include "mgd/nn/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

Attention::Attention(const AttentionNames& names, const AttentionLayerOptions& options, RandomStream& random)
    : options_(options), core_(names.core) {
  MGD_ASSERT(options.hidden % options.heads == 0);
  const auto linear = [&](const char* name, std::int64_t out, double deviation) {
    return &make_child<Linear>(name,
                               LinearOptions{.in = options.hidden,
                                             .out = out,
                                             .bias = options.bias,
                                             .in_first = options.in_first,
                                             .deviation = deviation},
                               random);
  };
  if (names.qkv != nullptr) {
    qkv_ = linear(names.qkv, 3 * options.hidden, options.deviation);
  } else {
    query_ = linear(names.query, options.hidden, options.deviation);
    key_ = linear(names.key, options.hidden, options.deviation);
    value_ = linear(names.value, options.hidden, options.deviation);
  }
  out_ = linear(names.out, options.hidden, options.out_deviation);
}

std::string Attention::core() const {
  return core_.empty() ? path() : path() + "." + core_;
}

at::Tensor Attention::heads_of(const at::Tensor& x) const {
  return x.view({x.size(0), options_.heads, options_.hidden / options_.heads});
}

AttentionOptions Attention::kernel_options(Forward& forward) const {
  AttentionOptions kernel{
      .causal = options_.causal, .window = options_.window, .skip = forward.skips_hidden()};
  if (forward.training() && !frozen() && forward.draws() && options_.dropout > 0) {
    const ForwardDraws& draws = *forward.draws();
    kernel.dropout = options_.dropout;
    kernel.dropout_key =
        RandomStream(random_key(draws.seed, "dropout/" + core() + ".probs"), draws.step, 0).next_u64();
  }
  return kernel;
}

KvCache::Layer Attention::project_source(const at::Tensor& memory, Forward& forward) {
  return {.k = heads_of(key_->forward(memory, forward)), .v = heads_of(value_->forward(memory, forward))};
}

Attention::Projected Attention::project(const at::Tensor& x, const AttentionPass& pass, Forward& forward) {
  if (options_.cross) {
    at::Tensor q = heads_of(query_->forward(x, forward));
    return {
        .q = std::move(q),
        .kv = pass.cache != nullptr ? pass.cache->source(pass.layer) : project_source(pass.memory, forward)};
  }
  Projected all;
  if (qkv_ != nullptr) {
    const std::int64_t width = options_.hidden / options_.heads;
    const auto parts = qkv_->forward(x, forward).view({x.size(0), 3, options_.heads, width}).unbind(1);
    all = {.q = parts[0], .kv = {.k = parts[1], .v = parts[2]}};
  } else {
    at::Tensor q = heads_of(query_->forward(x, forward));
    all = {.q = std::move(q), .kv = project_source(x, forward)};
  }
  if (pass.rotary != nullptr) {
    all.q = rotate(all.q, *pass.rotary);
    all.kv.k = rotate(all.kv.k, *pass.rotary);
  }
  if (pass.cache != nullptr) all.kv = pass.cache->append(pass.layer, all.kv.k, all.kv.v);
  return all;
}

at::Tensor Attention::forward(const at::Tensor& x, const AttentionPass& pass, Forward& forward) {
  const auto [q, kv] = project(x, pass, forward);
  const std::vector<AttentionSegment>& segments =
      pass.cache == nullptr ? *pass.segments
                            : (options_.cross ? pass.cache->source_segments() : pass.cache->segments());
  offer_maps(q, kv.k, segments, forward);
  const at::Tensor gathered = masked_attention(q, kv.k, kv.v, segments, kernel_options(forward));
  forward.add_macs(2 * options_.hidden * visible_pairs(segments, options_.causal, options_.window));
  return out_->forward(forward.node(core() + ".context", gathered.reshape({x.size(0), options_.hidden})),
                       forward);
}

void Attention::offer_maps(const at::Tensor& q, const at::Tensor& k,
                           const std::vector<AttentionSegment>& segments, Forward& forward) {
  const std::string name = core() + ".probs";
  if (forward.edits(name)) fail(ExitCode::usage, "{}: attention maps can be a tap, but not masked", name);
  if (!forward.wants(name)) return;
  AttentionOptions options = kernel_options(forward);
  options.dropout = 0;
  std::vector<at::Tensor> maps = attention_maps(q, k, segments, options);
  std::int64_t queries = 0, keys = 0;
  for (const at::Tensor& map : maps) {
    queries = std::max(queries, map.size(1));
    keys = std::max(keys, map.size(2));
  }
  for (at::Tensor& map : maps)
    map = at::constant_pad_nd(map, {0, keys - map.size(2), 0, queries - map.size(1)});
  forward.node(name, at::stack(maps));
}

std::int64_t visible_pairs(const std::vector<AttentionSegment>& segments, bool causal, std::int64_t window) {
  std::int64_t pairs = 0;
  for (const AttentionSegment& segment : segments) {
    if (!causal && window < 0) {
      pairs += segment.q_length * segment.k_length;
      continue;
    }
    const std::int64_t shift = segment.k_length - segment.q_length;
    for (std::int64_t i = shift; i < segment.k_length; ++i) {
      const std::int64_t first = window < 0 ? 0 : std::max<std::int64_t>(0, i - window);
      const std::int64_t last = causal       ? i
                                : window < 0 ? segment.k_length - 1
                                             : std::min(segment.k_length - 1, i + window);
      pairs += std::max<std::int64_t>(0, last - first + 1);
    }
  }
  return pairs;
}

}  // namespace mgd
