// Tensors of draws, for initial weights.
#pragma once

#include <ATen/core/Tensor.h>

#include "mgd/core/philox.h"

namespace mgd {

// Float, on the CPU. The values do not depend on the number of threads. From an idle stream: a tensor of the
// meta device, which has a shape and no values.
at::Tensor drawn_uniform(at::IntArrayRef shape, RandomStream& random, double bound);  // U(-bound, bound)
// N(0, deviation^2); a deviation of 0 costs nothing.
at::Tensor drawn_normal(at::IntArrayRef shape, RandomStream& random, double deviation);

}  // namespace mgd
