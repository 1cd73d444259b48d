// The one attention of the program: softmax(q k^T * scale) v over what a query may see, and arithmetic on
// what it may not see is not done.
//
// keep(i, j) = key visible AND causal AND window AND same document AND extra; docs/masks.md draws each. A
// query that sees nothing gives exactly 0 and zero gradients; what a hidden key or value holds, NaN included,
// reaches neither output nor gradients. Saved for backward: output and two numbers a row and head, O(tokens).
// (Rabe and Staats 2021; Dao et al. 2022; the causal and padding masks of Vaswani et al. 2017,
// section 3.2.3.)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "mgd/ops/attention_mask.h"

namespace mgd {

// Queries and keys of one sequence: rows of packed tensors. With fewer queries than keys (decoding with a
// cache) the queries are the last positions: causal is bottom-right aligned.
struct AttentionSegment {
  std::int64_t q_begin = 0, q_length = 0;
  std::int64_t k_begin = 0, k_length = 0;
  std::int64_t id = 0;  // of the sample: dropout depends on it and on nothing else of the batch
};

// Self-attention within each of the S sequences of `offsets` (S + 1 values, from 0 to N). `ids`: one a
// sequence, or none for 0, 1, 2 ...
std::vector<AttentionSegment> self_segments(const std::vector<std::int64_t>& offsets,
                                            const std::vector<std::int64_t>& ids = {});
// Cross-attention: sequence s of the queries sees sequence s of the keys.
std::vector<AttentionSegment> cross_segments(const std::vector<std::int64_t>& q_offsets,
                                             const std::vector<std::int64_t>& k_offsets,
                                             const std::vector<std::int64_t>& ids = {});

struct AttentionOptions {
  bool causal = false;
  std::int64_t window = -1;       // |i - j| <= window, or 0 <= i - j <= window when causal; -1: no limit
  double scale = 0;               // 0: 1 / sqrt(D)
  double dropout = 0;             // of the probabilities, 0 <= p < 1; scaled by 1 / (1 - p)
  std::uint64_t dropout_key = 0;  // of (seed, step, layer)
  bool skip = true;               // false: every pair of a segment is computed and masked, O(T S) memory
};

// Packed: q (N, H, D), k and v (M, G, D) with H a multiple of G (grouped key/value heads) -> (N, H, D), of
// q's type (float, double or bfloat16; sums and the softmax are float at least). Rows may be strided; the
// last dimension is contiguous or copied. Rows outside every segment give 0 and get gradient 0. All
// functions here throw Error(usage) for shapes, types, ranges and segments that do not fit.
at::Tensor masked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::vector<AttentionSegment>& segments,
                            const AttentionOptions& options = {});

// Padded, at the borders: q (B, H, T, D), k and v (B, G, S, D) -> (B, H, T, D). Every query is answered;
// visible keys are gathered first. `options.causal` and `options.window` join those of the mask.
at::Tensor masked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const AttentionMask& mask, const AttentionOptions& options = {});

// The probabilities themselves, for pictures and for losses on attention maps: one (H, q_length, k_length)
// tensor a segment, hidden entries 0, differentiable. O(T S): only where somebody asks.
std::vector<at::Tensor> attention_maps(const at::Tensor& q, const at::Tensor& k,
                                       const std::vector<AttentionSegment>& segments,
                                       const AttentionOptions& options = {});

}  // namespace mgd
