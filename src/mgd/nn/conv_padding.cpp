#include "mgd/nn/conv_padding.h"

#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>

#include "mgd/nn/layers.h"

namespace mgd {

PaddedInput padded_input(const at::Tensor& x, const Conv2dOptions& o) {
  if (!o.same) return {x, {o.padding, o.padding}};
  const auto missing = [&](std::int64_t size) {
    const std::int64_t outputs = (size + o.stride - 1) / o.stride;
    return std::max<std::int64_t>((outputs - 1) * o.stride + o.kernel - size, 0);
  };
  const std::int64_t y = missing(x.size(2)), right = missing(x.size(3));
  if (y % 2 == 0 && right % 2 == 0) return {x, {y / 2, right / 2}};
  return {at::constant_pad_nd(x, {right / 2, right - right / 2, y / 2, y - y / 2}), {0, 0}};
}

}  // namespace mgd
