// The sum of squared errors of what a convolution made: bias, difference, square, sum and the gradient of the
// bias in one pass through memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace mgd {

// sum((made + bias - target)^2) as a scalar; no gradient for `target`. made, target (B, C, Y, X), bias (C).
// Consumes `made`, a result that nothing else looks at, whose memory then holds the difference. Other types,
// layouts and devices than float channels-last on the CPU take the operators one by one. Independent of the
// number of threads.
at::Tensor squared_distance(const at::Tensor& made, const at::Tensor& bias, const at::Tensor& target);

// made + bias, for who needs the map itself.
at::Tensor add_bias(const at::Tensor& made, const at::Tensor& bias);

}  // namespace mgd
