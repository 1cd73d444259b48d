#include "mgd/report/colormap.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"

namespace mgd {
namespace {

constexpr std::array<Rgb, 10> kViridis = {{{0x44, 0x01, 0x54},
                                           {0x48, 0x28, 0x78},
                                           {0x3e, 0x49, 0x89},
                                           {0x31, 0x68, 0x8e},
                                           {0x26, 0x82, 0x8e},
                                           {0x1f, 0x9e, 0x89},
                                           {0x35, 0xb7, 0x79},
                                           {0x6e, 0xce, 0x58},
                                           {0xb5, 0xde, 0x2b},
                                           {0xfd, 0xe7, 0x25}}};
constexpr Rgb kNoValue = {0x9a, 0x9a, 0x9a};

std::uint8_t mix(std::uint8_t a, std::uint8_t b, double share_of_b) {
  return static_cast<std::uint8_t>(std::lround(a + (b - a) * share_of_b));
}

}  // namespace

Rgb viridis(double fraction) {
  if (std::isnan(fraction)) return kNoValue;
  const double place = std::clamp(fraction, 0.0, 1.0) * (kViridis.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(place), kViridis.size() - 2);
  const double share = place - static_cast<double>(below);
  Rgb rgb{};
  for (std::size_t c = 0; c < 3; ++c) rgb[c] = mix(kViridis[below][c], kViridis[below + 1][c], share);
  return rgb;
}

Rgb grey(double fraction) {
  if (std::isnan(fraction)) return {0xb0, 0x50, 0x50};
  const std::uint8_t level = mix(0x58, 0xf4, std::clamp(fraction, 0.0, 1.0));
  return {level, level, level};
}

void ValueRange::include(double value) {
  if (!std::isfinite(value)) return;
  low = seen ? std::min(low, value) : value;
  high = seen ? std::max(high, value) : value;
  seen = true;
}

ValueRange range_of(const std::vector<float>& values) {
  ValueRange range;
  for (float v : values) range.include(v);
  return range;
}

Image colour_map(const std::vector<float>& values, std::int64_t height, std::int64_t width,
                 const ValueRange& range, Rgb (*colour)(double)) {
  MGD_ASSERT(height > 0 && width > 0 && values.size() == static_cast<std::size_t>(height * width));
  Image image{.height = height, .width = width, .channels = 3, .pixels = {}};
  image.pixels.reserve(values.size() * 3);
  const double extent = range.high - range.low;
  for (double v : values) {
    const double fraction = std::isnan(v) ? v : extent > 0 ? (v - range.low) / extent : 0.5;
    const Rgb rgb = colour(fraction);
    image.pixels.insert(image.pixels.end(), rgb.begin(), rgb.end());
  }
  return image;
}

}  // namespace mgd
