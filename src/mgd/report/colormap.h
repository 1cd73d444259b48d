// Numbers as colours.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mgd/format/image.h"

namespace mgd {

using Rgb = std::array<std::uint8_t, 3>;

// Viridis (van der Walt & Smith, matplotlib 2.0; CC0), linear between ten of its colours: perceptually
// uniform, readable in grey and with the usual colour blindness. `fraction` is clamped to 0..1; NaN gives a
// grey that viridis has not.
Rgb viridis(double fraction);
Rgb grey(double fraction);

struct ValueRange {
  double low = 0, high = 0;
  void include(double value);  // NaN and infinities are left out
  bool empty() const { return !seen; }
  bool seen = false;
};
ValueRange range_of(const std::vector<float>& values);

// values {height, width} row by row -> an RGB picture of that size. A range without extent gives the middle
// colour.
Image colour_map(const std::vector<float>& values, std::int64_t height, std::int64_t width,
                 const ValueRange& range, Rgb (*colour)(double));

}  // namespace mgd
