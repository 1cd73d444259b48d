#include "mgd/nn/activation.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>

#include "mgd/core/error.h"

namespace mgd {

at::Tensor activated(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return at::relu(x);
    case Activation::relu6:
      return at::hardtanh(x, 0, 6);
    case Activation::silu:
      return at::silu(x);
    case Activation::hardswish:
      return at::hardswish(x);
    case Activation::gelu:
      return at::gelu(x);
    case Activation::sigmoid:
      return at::sigmoid(x);
    case Activation::hardsigmoid:
      return at::hardsigmoid(x);
  }
  MGD_ASSERT(false);
  return {};
}

at::Tensor activated_(at::Tensor x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return at::relu_(x);
    case Activation::relu6:
      return at::hardtanh_(x, 0, 6);
    case Activation::silu:
      return at::silu_(x);
    case Activation::hardswish:
      return at::hardswish_(x);
    case Activation::gelu:
      return at::gelu_(x);
    case Activation::sigmoid:
      return at::sigmoid_(x);
    case Activation::hardsigmoid:
      return at::hardsigmoid_(x);
  }
  MGD_ASSERT(false);
  return {};
}

bool only_limits(Activation activation) {
  return activation == Activation::none || activation == Activation::relu || activation == Activation::relu6;
}

ActivationLimits limits_of(Activation activation) {
  if (activation == Activation::relu) return {.low = 0};
  if (activation == Activation::relu6) return {.low = 0, .high = 6};
  return {};
}

}  // namespace mgd
