// Activations by name, as blocks and their options say them.
#pragma once

#include <ATen/core/Tensor.h>

#include "mgd/ops/batch_norm.h"

namespace mgd {

enum class Activation { none, relu, relu6, silu, hardswish, gelu, sigmoid, hardsigmoid };

// Elementwise, of x's shape and type; `none` gives x itself. gelu is the exact one, with erf.
at::Tensor activated(const at::Tensor& x, Activation activation);

// The same into x itself, which nobody else may look at and which carries no gradient.
at::Tensor activated_(at::Tensor x, Activation activation);

// An activation that only limits its input is done by the kernels of batch norm; others are a pass of their
// own behind it.
bool only_limits(Activation activation);
ActivationLimits limits_of(Activation activation);  // of one that only limits; none for all others

}  // namespace mgd
