// Batch norm in training with what surrounds it: statistics in one pass through memory; norm, shortcut and
// activation in another; and two passes for all gradients.
//
//   d = x - mean,  z = d * scale + bias [+ shortcut],  y = min(max(z, low), high)
//
// A map is a flat array whose element i belongs to column i % period. A period is a multiple of
// kNormColumns, so a map of 3 channels has 48 columns: its channels in turn, sixteen times. Arrays of columns
// have `period` floats. Sums are of float and added to what is there: a call should have kNormElements
// elements at most, or one period.
#pragma once

#include <cstdint>

#include "mgd/kernels/isa.h"

namespace mgd {

inline constexpr std::int64_t kNormColumns = 16, kNormElements = 1 << 14;

struct NormColumns {
  std::int64_t period = 0;
  const float *mean = nullptr, *scale = nullptr, *bias = nullptr;
};

struct NormClamp {
  float low = 0, high = 0;
};

// What reaches z is `grad` where y lies between the limits, and 0 elsewhere. `y` null: z has no shortcut and
// is computed again from x, which is cheaper than to read it.
struct NormGrad {
  const float *x = nullptr, *grad = nullptr, *y = nullptr;
};

struct BatchNormKernel {
  // sums += x - pivot, squares += (x - pivot)^2. Of pivots near the mean nothing cancels.
  void (*moments)(const float* x, std::int64_t count, std::int64_t period, const float* pivot, float* sums,
                  float* squares);
  void (*apply)(const float* x, const float* shortcut, std::int64_t count, const NormColumns&, NormClamp,
                float* y);  // shortcut null: none
  // grads += what reaches z, products += d times that; to_shortcut, unless null, is set to it.
  void (*grad_sums)(const NormGrad&, std::int64_t count, const NormColumns&, NormClamp, float* grads,
                    float* products, float* to_shortcut);
  // to_x = scale * (what reaches z) + slope * d + offset.
  void (*input_grad)(const NormGrad&, std::int64_t count, const NormColumns&, NormClamp, const float* slope,
                     const float* offset, float* to_x);
};
BatchNormKernel batch_norm_kernel(Isa isa);

}  // namespace mgd
