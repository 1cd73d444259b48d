// What the core could do at best, measured and not looked up: the yardstick for useful arithmetic.
#pragma once

#include <cstdint>

#include "mgd/kernels/isa.h"

namespace mgd {

// Runs `steps` rounds of independent fused multiply-adds that never leave the registers; returns how many
// multiply-accumulates that were. One thread.
std::int64_t run_peak_probe(Isa isa, std::int64_t steps);

}  // namespace mgd
