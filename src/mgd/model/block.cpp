#include "mgd/model/block.h"

#include <ATen/ops/mean.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

at::Tensor Stage::forward(const at::Tensor& x, Forward& forward) {
  at::Tensor y = x;
  for (Block* block : blocks_) y = block->forward(y, forward);
  return forward.node(path(), std::move(y));
}

ConvNorm::ConvNorm(Conv2dOptions options, RandomStream& random, Init init, Activation activation,
                   NormOptions norm)
    : conv_(make_child<Conv2d>("0", options, random, init)),
      norm_(make_child<BatchNorm2d>("1", options.out, norm)),
      activation_(activation) {}

at::Tensor ConvNorm::forward(const at::Tensor& x, Forward& forward) {
  return forward.node(path(), conv_norm(conv_, norm_, x, forward, {activation_}));
}

Conv2dOptions conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride) {
  return {.in = in, .out = out, .kernel = 3, .stride = stride, .padding = 1};
}

Conv2dOptions conv1x1(std::int64_t in, std::int64_t out, std::int64_t stride) {
  return {.in = in, .out = out, .kernel = 1, .stride = stride, .padding = 0};
}

std::int64_t nearest_multiple(double channels, std::int64_t divisor) {
  const auto unit = static_cast<double>(divisor);
  std::int64_t rounded =
      std::max(divisor, static_cast<std::int64_t>(channels + unit / 2) / divisor * divisor);
  if (static_cast<double>(rounded) < 0.9 * channels) rounded += divisor;
  return rounded;
}

std::int64_t scaled_channels(std::int64_t channels, const ModelSpec& spec) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(channels) * spec.width));
}

at::Tensor model_input(at::Tensor input, const ModelSpec& spec, Forward& forward, std::int64_t smallest) {
  if (!is_real(input, 4) || input.size(1) != spec.in_channels || input.numel() == 0)
    refuse(spec.architecture, "input", input,
           fmt::format("numbers (batch, {}, height, width) with at least one of each", spec.in_channels));
  if (std::min(input.size(2), input.size(3)) < smallest)
    fail(ExitCode::usage, "{}: input: got pictures of {} x {} (height x width), expected at least {} x {}",
         spec.architecture, input.size(2), input.size(3), smallest, smallest);
  return forward.node("input", std::move(input));
}

at::Tensor global_pool(const at::Tensor& x, Forward& forward) {
  return forward.node("pool", at::mean(x, {2, 3}));
}

}  // namespace mgd
