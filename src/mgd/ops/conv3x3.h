// The convolution 3x3 with stride 1 and padding 1 that hides nothing.
#pragma once

#include <ATen/core/Tensor.h>

#include "mgd/ops/masked_conv.h"

namespace mgd {

// All passes by Winograd's F(4x4, 3x3), which is faster and less exact (ops/winograd.h); float on the CPU
// only. automatic: where winograd_pays says so.
enum class Winograd { never, automatic, always };

// x (B, C, Y, X), weight (N, C, 3, 3) -> (B, N, Y, X), without bias: oneDNN's, or ours where its shape makes
// that faster, or Winograd's. For training: without gradients oneDNN's alone is as fast. Throws
// Error(usage) for shapes that do not fit.
at::Tensor conv3x3(const at::Tensor& x, const at::Tensor& weight, Winograd winograd = Winograd::never);

// Whether Winograd's convolution is faster than the dense one. filter_kept: its filter is there already.
bool winograd_pays(const ConvCase& c, bool filter_kept = false);

}  // namespace mgd
