// KL divergence between two softmax distributions of a row of logits, with its gradient.
#pragma once

#include <cstdint>

#include "mgd/kernels/isa.h"

namespace mgd {

// One row of K >= 1 logits of student and teacher, and z = logits * inverse_temperature:
// -> KL(softmax(z of the teacher) || softmax(z of the student)).
struct SoftmaxKlRow {
  const float *student = nullptr, *teacher = nullptr;  // (K)
  std::int64_t width = 0;                              // K
  float inverse_temperature = 1;
  // grad[i] = grad_factor * (softmax(z of the student) - softmax(z of the teacher))[i]; null: not wanted.
  float* grad = nullptr;  // (K)
  double grad_factor = 1;
  float* scratch = nullptr;  // (K), needed with `grad`
};

// The same against a teacher of whom k entries are known, and what all others have together: the divergence
// of k
// + 1 bins, the last of which holds the rest. With q the softmax of z over K > k entries, or K = k:
// -> sum over known p (ln p - ln q) + r (ln r - ln q_r), where q_r is what q has beside the known ones, at
// least 1e-38; a p or r of 0 adds nothing.
struct SoftmaxBinsRow {
  float* logits = nullptr;  // (K), the student's; overwritten
  std::int64_t width = 0;
  float inverse_temperature = 1;
  const std::int64_t* ids = nullptr;  // (k) of 0 ... K - 1, all different
  const float* log_p = nullptr;       // (k)
  std::int64_t known = 0;             // k
  float log_rest = 0;                 // ln r
  float* scratch = nullptr;           // (k)
  // Not 0: logits become the gradient by z, times this: q - p of the known entries, q (1 - r / q_r) of the
  // rest.
  double grad_factor = 0;
};

struct SoftmaxKlKernel {
  double (*row)(const SoftmaxKlRow&);
  double (*bins)(const SoftmaxBinsRow&);
};
SoftmaxKlKernel softmax_kl_kernel(Isa isa);

}  // namespace mgd
