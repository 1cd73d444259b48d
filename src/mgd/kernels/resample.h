// The two passes that scale a picture: weighted sums of bytes along its rows, then along its columns.
#pragma once

#include <cstdint>
#include <vector>

#include "mgd/kernels/isa.h"

namespace mgd {

// A weight of 1 is 2^22, as in Pillow: products with a byte, and sums of weights up to two, fit 32 bits.
inline constexpr int kResampleBits = 22;

// Output i of one direction = sum over t < count[i] of weights[i * taps + t] * input[first[i] + t].
struct ResampleWeights {
  std::int64_t taps = 0;                   // the most inputs of an output
  std::vector<std::int32_t> first, count;  // one an output
  std::vector<std::int32_t> weights;       // (outputs, taps)
  std::int64_t outputs() const { return static_cast<std::int64_t>(first.size()); }
};

// Sums are rounded to the nearest byte and clamped.
struct ResampleKernel {
  // `height` rows of pixels of 1 or 3 channels, `stride` bytes apart -> rows of weights.outputs() pixels,
  // lying end to end. Reads one byte beyond each row.
  void (*along_rows)(const std::uint8_t* rows, std::int64_t stride, std::int64_t height,
                     std::int64_t channels, const ResampleWeights&, std::uint8_t* out);
  // Rows of `width` bytes, `stride` apart -> weights.outputs() rows, lying end to end.
  void (*along_columns)(const std::uint8_t* rows, std::int64_t stride, std::int64_t width,
                        const ResampleWeights&, std::uint8_t* out);
};
ResampleKernel resample_kernel(Isa isa);

}  // namespace mgd
