// Convolutions 3x3 with stride 1 and padding 1 by Winograd's F(4x4, 3x3): a quarter of the multiplications,
// and float errors of some 1e-5 of the largest value (kernels/winograd.h). Independent of the number of
// threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace mgd {

// x (B, C, Y, X), weight (N, C, 3, 3), both float channels-last on the CPU -> (B, N, Y, X) channels-last.
at::Tensor winograd_conv(const at::Tensor& x, const at::Tensor& weight);
at::Tensor winograd_input_gradient(const at::Tensor& grad, const at::Tensor& weight);  // (B, N, Y, X) -> x's
at::Tensor winograd_weight_gradient(const at::Tensor& x, const at::Tensor& grad);      // -> (N, C, 3, 3)

// The same in two steps, for weights that are used often: what winograd_conv makes of the weights first, and
// the rest, with the number of outputs N.
at::Tensor winograd_filter(const at::Tensor& weight);
at::Tensor winograd_conv_with(const at::Tensor& x, const at::Tensor& filter, std::int64_t out);

}  // namespace mgd
