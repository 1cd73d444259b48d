// How far two attentions' scores before the softmax are apart, over the pairs of tokens that both see.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace mgd {

// Queries and keys of one side, (N, A, D) each: rows of packed documents, A heads.
struct ScoreRows {
  at::Tensor q, k;
};

struct ScorePairs {
  std::vector<std::int64_t> offsets;  // S + 1, from 0 to N
  bool causal = false;                // keys after the query are not seen
  std::int64_t window = -1;           // |i - j| <= window; -1: no limit
};

// The sum over heads, documents and visible pairs (i, j) of (s_ij - t_ij)^2, s_ij = q_i . k_j / sqrt(D) of
// the student and t_ij of the teacher, whose D may be another; a scalar, float or double as the student's. No
// pair crosses documents; N = 0 gives 0. Gradients, for the student alone, are made in the same pass, some
// rows of a document at a time, so that memory is O(tokens); `max_scores`: held at a time. Error(usage) for
// shapes and offsets that do not fit.
at::Tensor score_distance(const ScoreRows& student, const ScoreRows& teacher, const ScorePairs& pairs,
                          std::int64_t max_scores = std::int64_t{1} << 20);

}  // namespace mgd
