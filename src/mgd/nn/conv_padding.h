// The padding of a convolution, also TensorFlow's.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace mgd {

struct Conv2dOptions;

// A convolution's input and what its own symmetric padding still has to add, (Y, X).
struct PaddedInput {
  at::Tensor x;
  std::array<std::int64_t, 2> padding{};
  std::vector<std::int64_t> padding_vector() const { return {padding.begin(), padding.end()}; }
};

// x (B, C, Y, X). With `options.same`, as TensorFlow: ceil(size / stride) outputs a side, and where an odd
// number of pixels is missing, the odd one stands behind. A side that can be padded evenly is left to the
// convolution, which needs no copy for it.
PaddedInput padded_input(const at::Tensor& x, const Conv2dOptions& options);

}  // namespace mgd
