// PHI-S: features whose dimensions all have variance 1 and keep their relations.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "mgd/ops/principal_components.h"

namespace mgd {

// A Hadamard matrix: (n, n) double of +-1 with H H^T = n I. Undefined where none of this order is made here:
// n is a power of two times 1, q + 1 for a prime q = 3 mod 4, or 2 (q + 1) for a prime q = 1 mod 4 (Sylvester
// 1867, Paley 1933). n >= 1.
at::Tensor hadamard(std::int64_t n);

// y = weight x + bias: weight (H, H), bias (H), double.
struct PhiS {
  at::Tensor weight, bias;
};

// Of rows x with mean m and covariance U diag(l) U^T: y = W (x - m), W = H U^T / sqrt(n mean(l)) with a
// Hadamard matrix H. A rotation and one factor, so that ratios of distances stay; every dimension of y has
// the variance 1, because H spreads each direction evenly over all of them. Ranzinger et al., "PHI-S:
// Distribution Balancing for Label-Free Multi-Teacher Distillation", 2024. Error(bad_data): fewer than two
// rows, or rows that do not vary; Error(usage): no Hadamard matrix of their width.
PhiS phi_s(const PrincipalComponents& seen);

}  // namespace mgd
