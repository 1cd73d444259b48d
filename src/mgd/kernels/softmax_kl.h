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

struct SoftmaxKlKernel {
  double (*row)(const SoftmaxKlRow&);
};
SoftmaxKlKernel softmax_kl_kernel(Isa isa);

}  // namespace mgd
