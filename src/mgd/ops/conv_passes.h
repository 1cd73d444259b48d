// The three passes of a planned convolution on the CPU, by the kernels of kernels/masked_conv.h.
//
// Maps are channels-last. Factors have one type, float or bfloat16, that of map and weight; sums are float. A
// compact input holds a plan's visible values, segment by segment. Nothing depends on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "mgd/ops/conv_plan.h"

namespace mgd {

// What a convolution of x multiplies: bfloat16 under autocast and for maps of bfloat16.
at::ScalarType factor_type(const at::Tensor& x);

// Whether the passes take x (B, C, Y, X) and the weight as they are: float or bfloat16 on the CPU, not empty.
bool fits_conv_passes(const at::Tensor& x, const at::Tensor& weight);

at::Tensor channels_last(const at::Tensor& map);

struct ConvWeights {
  at::Tensor weight;      // (N, C, 3, 3) channels-last
  at::Tensor transposed;  // (9, C, N), where the plan is faster with it; undefined elsewhere
};
ConvWeights conv_weights(const ConvPlan& plan, const at::Tensor& weight);

// x (B, C, Y, X) -> compact (plan.num_values). Where nothing is hidden, the map's values are that already.
at::Tensor gather_visible(const ConvPlan& plan, const at::Tensor& x);

// `shape` is that of the result, (B, N, Y, X); bias (N); `relu` of the result. *macs += what was multiplied.
at::Tensor convolve_visible(const ConvPlan& plan, const at::Tensor& compact, const ConvWeights& weights,
                            const at::Tensor& bias, at::IntArrayRef shape, bool relu, std::int64_t* macs);

// grad (B, N, Y, X) -> (B, C, Y, X) of float, 0 where the input is hidden.
at::Tensor visible_input_gradient(const ConvPlan& plan, const at::Tensor& grad, const ConvWeights& weights);

// `in`: C. -> (N, C, 3, 3) of float, channels-last.
at::Tensor visible_weight_gradient(const ConvPlan& plan, const at::Tensor& compact, const at::Tensor& grad,
                                   std::int64_t in);

}  // namespace mgd
