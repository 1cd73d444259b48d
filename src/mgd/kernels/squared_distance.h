// Squared differences of two maps in one pass through memory.
#pragma once

#include <cstdint>

#include "mgd/kernels/rows.h"

namespace mgd {

// made[i][c] += bias[c] - target[i][c]; column_sums[c] is set to the sum of the results over the rows, and
// the sum of their squares is returned. Sums are of float: a call should have kDistanceRows rows at most.
inline constexpr std::int64_t kDistanceRows = 64;
double subtract_rows(Rows<float> made, Rows<const float> target, const float* bias, std::int64_t rows,
                     std::int64_t width, float* column_sums);

}  // namespace mgd
