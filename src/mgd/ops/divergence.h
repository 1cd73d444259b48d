// Divergences between what a teacher and a student say of the same rows, from logits or from the output
// layers of language models.
#pragma once

#include <ATen/core/Tensor.h>

#include "mgd/types/tokens.h"

namespace mgd {

enum class Divergence { forward, reverse, jsd };

struct DivergenceOptions {
  Divergence kind = Divergence::forward;
  double temperature = 1;
  double beta = 0.5;  // of jsd, 0 < beta < 1
};

// Summed over rows, as a scalar; both (N, K) of one type; no gradient for `teacher`. With p = softmax(teacher
// / T), q = softmax(student / T) and m = beta p + (1 - beta) q:
//   forward  T^2 KL(p || q)                                     Hinton et al. 2015, section 2
//   reverse  T^2 KL(q || p)                                     Gu et al., "MiniLLM", 2024
//   jsd      T^2 (beta KL(p || m) + (1 - beta) KL(q || m))      Agarwal et al., "GKD", 2024, equation (2)
// T^2 keeps the size of the gradient independent of T, as in `forward`; GKD itself does without.
at::Tensor divergence(const at::Tensor& student, const at::Tensor& teacher, const DivergenceOptions& options);

// The same of the rows of two language heads over one vocabulary, in pieces: a matrix of (rows x vocabulary)
// never exists. The student's head gets its gradients in the same pass. n = 0 gives 0. Error(usage) for
// different numbers of rows or entries. `max_logits`: held at a time.
at::Tensor head_divergence(const LmHead& student, const LmHead& teacher, const DivergenceOptions& options,
                           std::int64_t max_logits = std::int64_t{1} << 22);

// The k likeliest entries at the rows of a head, at this temperature; 1 <= k <= V. Without gradient.
TopScores top_scores(const LmHead& head, std::int64_t k, double temperature,
                     std::int64_t max_logits = std::int64_t{1} << 22);

// As head_divergence, with a teacher of whom only these are known: between distributions of k + 1 bins, the
// last of which holds all other entries. By joining entries a divergence only gets less, so this is a lower
// bound of that between the whole distributions, and equal to it at k = V; its gradient is that of a teacher
// who divides the rest as the student does. Error(usage) for another temperature than that of `teacher`, for
// other rows, and for entries beyond the student's vocabulary.
at::Tensor head_divergence(const LmHead& student, const TopScores& teacher, const DivergenceOptions& options,
                           std::int64_t max_logits = std::int64_t{1} << 22);

}  // namespace mgd
