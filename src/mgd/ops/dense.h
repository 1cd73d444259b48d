// Dense products of token rows and weights.
#pragma once

#include <ATen/core/Tensor.h>

namespace mgd {

// x (..., K) . weight (M, K)^T + bias (M) -> (..., M), as at::linear, differentiable once. Rows may be
// strided, a weight may be the transposed view of a matrix that is stored (K, M). bias undefined: none.
// float32 on the CPU outside autocast goes to kernels/gemm.h, everything else to LibTorch. Throws
// Error(usage) for shapes that do not fit.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// out (M, N) = a (M, K) b (K, N) + beta out, without gradient. beta 0: what out holds is not read.
void product_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, double beta);

}  // namespace mgd
