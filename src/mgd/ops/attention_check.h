// What the attention functions refuse: Error(usage), before anything is read.
#pragma once

#include "mgd/ops/masked_attention.h"

namespace mgd {

// Packed q (N, H, D), k and v (M, G, D).
void check_packed(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);
// Padded q (B, H, T, D), k and v (B, G, S, D).
void check_padded(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

void check_options(const AttentionOptions& options);

// Segments lie inside their rows and no two of them share a query: each writes rows of its own. Shared keys
// are refused where `backward` is to write their gradients.
void check_segments(const std::vector<AttentionSegment>& segments, std::int64_t q_rows, std::int64_t k_rows,
                    bool backward);

// The mask with all its tensors (B, S), (B, T) and (B, T, S), views where a dimension of 1 was given.
AttentionMask expanded(const AttentionMask& mask, std::int64_t batch, std::int64_t queries,
                       std::int64_t keys);

}  // namespace mgd
