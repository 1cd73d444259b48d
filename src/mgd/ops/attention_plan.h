// What a call of attention computes: segments, and the keys [first, last) that each query sees.
#pragma once

#include <ATen/core/Tensor.h>

#include "mgd/ops/masked_attention.h"

namespace mgd {

struct AttentionPlan {
  std::vector<AttentionSegment> segments;
  // Of each query, segment by segment; counted from the segment's first key.
  std::vector<std::int32_t> first, last;
  // (q_length, k_length) of each segment, one after the other; empty: ranges say all.
  std::vector<std::uint8_t> extra;
  double scale = 1;
  double dropout = 0;
  std::uint64_t dropout_key = 0;
};

// Of options and segments that were checked (ops/attention_check.h).
AttentionPlan plan_packed(const std::vector<AttentionSegment>& segments, const AttentionOptions& options,
                          std::int64_t head_dim);

// Throws Error(usage) for a mask that does not fit. Hidden keys are left out: `rows` (visible) int64 are
// those of (B * S) that stay.
struct PaddedPlan {
  AttentionPlan plan;
  at::Tensor rows;
};
PaddedPlan plan_padded(const AttentionMask& mask, const AttentionOptions& options, std::int64_t batch,
                       std::int64_t queries, std::int64_t keys, std::int64_t head_dim);

// (q_length, k_length) bool of one segment: the plan as a matrix. `query` is the number of its first query.
at::Tensor keep_of_segment(const AttentionPlan& plan, std::size_t segment);

}  // namespace mgd
