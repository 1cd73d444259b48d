// The output layer of a language model and its cross-entropy at target rows only, in pieces: neither the
// projection of other rows nor a matrix of (rows x vocabulary) ever exists.
#pragma once

#include <ATen/core/Tensor.h>

#include "mgd/types/tokens.h"

namespace mgd {

struct TokenLossOptions {
  double label_smoothing = 0;  // 0 ... 1: share of the target spread evenly over the vocabulary
  // Logits held at a time: memory is flat in rows x vocabulary, and a piece is wide enough for the matrix
  // product.
  std::int64_t max_logits = std::int64_t{1} << 23;
};

// Sum over the n rows of - log softmax(hidden . weight^T + bias)[target], as a scalar float (double for
// double input); n = 0 gives 0. targets (n) int64; -100 is no target and counts nothing. Gradients of all
// three parts of the head are made in the same pass. Rows that head.rows does not name count nothing. Throws
// Error(usage) for shapes that do not fit.
at::Tensor masked_cross_entropy(const LmHead& head, const at::Tensor& targets,
                                const TokenLossOptions& options = {});

// The same rows measured, without gradient.
struct TokenScores {
  at::Tensor nll;   // (n) float: - log probability of the target, nats
  at::Tensor best;  // (n) int64: the most likely token
};
TokenScores score_targets(const LmHead& head, const at::Tensor& targets,
                          const TokenLossOptions& options = {});

}  // namespace mgd
