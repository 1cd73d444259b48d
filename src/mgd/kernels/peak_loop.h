// The probe, for whatever instruction set the including file is compiled for.
#pragma once

#include "mgd/kernels/simd.h"

namespace mgd {
namespace {

// Enough chains to hide the latency of a multiply-add on two units.
constexpr std::int64_t kChains = 12;

std::int64_t peak_probe(std::int64_t steps) {
  Vec sums[kChains] = {};
  Vec factor = all(0.999F), addend = all(1e-3F);
  // The compiler must not know what the operands are, or that the sums are not needed.
  asm volatile("" : "+m"(factor), "+m"(addend));
  const Vec f = factor, a = addend;
  for (std::int64_t i = 0; i < steps; ++i)
    for (std::int64_t c = 0; c < kChains; ++c) sums[c] = sums[c] * f + a;
  for (std::int64_t c = 0; c < kChains; ++c) asm volatile("" : : "m"(sums[c]));
  return steps * kChains * kLanes;
}

}  // namespace
}  // namespace mgd
