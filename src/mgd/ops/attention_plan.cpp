#include "mgd/ops/attention_plan.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "mgd/ops/attention_check.h"

namespace mgd {

namespace {

struct Range {
  std::int64_t first, last;
};

// The keys [first, last) of `keys` that the query at `position` may see.
Range range_of(std::int64_t position, std::int64_t keys, bool causal, std::int64_t window) {
  Range r{.first = 0, .last = keys};
  if (causal) r.last = std::min(r.last, position + 1);
  if (window >= 0) {
    window = std::min(window, keys + std::abs(position));  // no sum overflows then
    r.first = std::max(r.first, position - window);
    r.last = std::min(r.last, position + window + 1);
  }
  r.first = std::clamp<std::int64_t>(r.first, 0, keys);
  r.last = std::clamp(r.last, r.first, keys);
  return r;
}

AttentionPlan plan_with(const AttentionOptions& options, std::int64_t head_dim) {
  AttentionPlan plan;
  plan.scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(head_dim));
  plan.dropout = options.dropout;
  plan.dropout_key = options.dropout_key;
  return plan;
}

at::Tensor on_cpu(const at::Tensor& t) {
  return t.defined() ? t.to(at::kCPU) : t;
}

// An entry by its strides: a dimension that was expanded has a stride of 0.
template <class T>
T entry(const at::Tensor& t, std::int64_t b, std::int64_t i) {
  return t.const_data_ptr<T>()[b * t.stride(0) + i * t.stride(1)];
}

// Tensors of an expanded mask on the CPU.
struct PlainMask {
  at::Tensor key_keep, q_documents, key_documents, extra;
  std::int64_t queries, keys;
  bool causal;
  std::int64_t window;

  bool key_visible(std::int64_t b, std::int64_t j) const {
    return !key_keep.defined() || entry<bool>(key_keep, b, j);
  }
  bool pair_visible(std::int64_t b, std::int64_t i, std::int64_t j) const {
    if (q_documents.defined() &&
        entry<std::int64_t>(q_documents, b, i) != entry<std::int64_t>(key_documents, b, j))
      return false;
    return !extra.defined() ||
           extra.const_data_ptr<bool>()[b * extra.stride(0) + i * extra.stride(1) + j * extra.stride(2)];
  }
};

// Ranges of one sequence over its visible keys; what ranges cannot say goes into the matrix.
void plan_sequence(const PlainMask& mask, std::int64_t b, const std::vector<std::int64_t>& visible,
                   AttentionPlan& plan) {
  for (std::int64_t i = 0; i < mask.queries; ++i) {
    const Range r = range_of(i + mask.keys - mask.queries, mask.keys, mask.causal, mask.window);
    auto from = std::lower_bound(visible.begin(), visible.end(), r.first);
    auto to = std::lower_bound(from, visible.end(), r.last);
    const auto pair = [&](std::int64_t j) { return mask.pair_visible(b, i, j); };
    // Documents usually lie in one piece: the range then says all.
    from = std::find_if(from, to, pair);
    while (to != from && !pair(*(to - 1))) --to;
    plan.first.push_back(static_cast<std::int32_t>(from - visible.begin()));
    plan.last.push_back(static_cast<std::int32_t>(to - visible.begin()));
  }
}

bool has_holes(const PlainMask& mask, std::int64_t b, const std::vector<std::int64_t>& visible,
               const std::int32_t* first, const std::int32_t* last) {
  for (std::int64_t i = 0; i < mask.queries; ++i)
    for (std::int32_t j = first[i]; j < last[i]; ++j)
      if (!mask.pair_visible(b, i, visible[static_cast<std::size_t>(j)])) return true;
  return false;
}

}  // namespace

AttentionPlan plan_packed(const std::vector<AttentionSegment>& segments, const AttentionOptions& options,
                          std::int64_t head_dim) {
  AttentionPlan plan = plan_with(options, head_dim);
  plan.segments = segments;
  for (const AttentionSegment& s : segments) {
    for (std::int64_t i = 0; i < s.q_length; ++i) {
      const Range r = range_of(i + s.k_length - s.q_length, s.k_length, options.causal, options.window);
      plan.first.push_back(static_cast<std::int32_t>(r.first));
      plan.last.push_back(static_cast<std::int32_t>(r.last));
    }
  }
  return plan;
}

PaddedPlan plan_padded(const AttentionMask& given, const AttentionOptions& options, std::int64_t batch,
                       std::int64_t queries, std::int64_t keys, std::int64_t head_dim) {
  const AttentionMask mask = expanded(given, batch, queries, keys);
  const std::int64_t window = mask.window < 0      ? options.window
                              : options.window < 0 ? mask.window
                                                   : std::min(mask.window, options.window);
  const PlainMask plain{.key_keep = on_cpu(mask.key_keep),
                        .q_documents = on_cpu(mask.q_documents),
                        .key_documents = on_cpu(mask.key_documents),
                        .extra = on_cpu(mask.extra),
                        .queries = queries,
                        .keys = keys,
                        .causal = mask.causal || options.causal,
                        .window = window};
  PaddedPlan padded{.plan = plan_with(options, head_dim), .rows = {}};
  AttentionPlan& plan = padded.plan;
  std::vector<std::int64_t> rows;
  std::vector<std::vector<std::int64_t>> visible(static_cast<std::size_t>(batch));
  bool holes = false;
  for (std::int64_t b = 0; b < batch; ++b) {
    auto& mine = visible[static_cast<std::size_t>(b)];
    for (std::int64_t j = 0; j < keys; ++j)
      if (plain.key_visible(b, j)) mine.push_back(j);
    plan.segments.push_back({.q_begin = b * queries,
                             .q_length = queries,
                             .k_begin = static_cast<std::int64_t>(rows.size()),
                             .k_length = static_cast<std::int64_t>(mine.size()),
                             .id = b});
    for (const std::int64_t j : mine) rows.push_back(b * keys + j);
    plan_sequence(plain, b, mine, plan);
    const auto at = static_cast<std::size_t>(b * queries);
    if (plain.q_documents.defined() || plain.extra.defined())
      holes = holes || has_holes(plain, b, mine, plan.first.data() + at, plan.last.data() + at);
  }
  if (holes)
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t i = 0; i < queries; ++i)
        for (const std::int64_t j : visible[static_cast<std::size_t>(b)])
          plan.extra.push_back(plain.pair_visible(b, i, j));
  padded.rows = at::tensor(rows, at::TensorOptions().dtype(at::kLong));
  return padded;
}

at::Tensor keep_of_segment(const AttentionPlan& plan, std::size_t segment) {
  std::size_t row = 0, bytes = 0;
  for (std::size_t s = 0; s < segment; ++s) {
    row += static_cast<std::size_t>(plan.segments[s].q_length);
    bytes += static_cast<std::size_t>(plan.segments[s].q_length * plan.segments[s].k_length);
  }
  const AttentionSegment& s = plan.segments[segment];
  at::Tensor keep = at::ones({s.q_length, s.k_length}, at::TensorOptions().dtype(at::kBool));
  bool* to = keep.mutable_data_ptr<bool>();
  for (std::int64_t i = 0; i < s.q_length; ++i, ++row)
    for (std::int64_t j = 0; j < s.k_length; ++j, ++to)
      *to = plan.first[row] <= j && j < plan.last[row] &&
            (plan.extra.empty() || plan.extra[bytes + static_cast<std::size_t>(i * s.k_length + j)] != 0);
  return keep;
}

}  // namespace mgd
