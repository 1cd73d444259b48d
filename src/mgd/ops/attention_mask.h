// What attention may see, described and not materialised. keep = true = visible, everywhere.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mgd {

// keep(b, i, j) = causal(i, j) AND key_keep(b, j) AND window(i, j) AND same document(b, i, j) AND extra(b, i,
// j). B sequences, T queries, S keys; undefined tensors hide nothing, and a dimension of 1 stands for all: a
// key_keep of (1, S) is every sequence's.
struct AttentionMask {
  bool causal = false;       // j <= i + S - T
  std::int64_t window = -1;  // |i + S - T - j| <= window; with causal only the past side; -1: none
  at::Tensor key_keep;       // (B, S) bool
  at::Tensor q_documents;    // (B, T) int64: a query sees keys of its own document only; both or neither
  at::Tensor key_documents;  // (B, S) int64
  at::Tensor extra;          // (B, T, S) bool
};

// The formula above, factor by factor: (B, T, S) bool. For tests, pictures and small things. Throws
// Error(usage) for tensors of another type or of a shape that does not fit.
at::Tensor keep_matrix(const AttentionMask& mask, std::int64_t batch, std::int64_t queries,
                       std::int64_t keys);

// Key padding, four ways that agree: (B, S) bool.
at::Tensor key_keep_from_lengths(const std::vector<std::int64_t>& lengths, std::int64_t keys);
at::Tensor key_keep_from_pad_ids(const at::Tensor& ids, std::int64_t pad_id);  // (B, S) int64
at::Tensor key_keep_from_matrix(const at::Tensor& ones);                       // (B, S) 1 = keep, 0 = hide
at::Tensor key_keep_from_zero_vectors(const at::Tensor& x);  // (B, S, H): hidden iff x_t . x_t == 0

// Other libraries' conventions -> keep.
at::Tensor keep_from_ignore_mask(const at::Tensor& ignore);  // nn.MultiheadAttention: true = ignore
at::Tensor keep_from_additive_mask(
    const at::Tensor& values);  // 0 = keep, -inf (or below -1e4) = hide; else Error(usage)

}  // namespace mgd
