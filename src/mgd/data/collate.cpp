#include "mgd/data/collate.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"

namespace mgd {

Normaliser::Normaliser(const std::vector<double>& mean, const std::vector<double>& std,
                       std::int64_t channels) {
  const auto pick = [&](const std::vector<double>& values, std::size_t c, double empty, const char* what) {
    if (values.empty()) return empty;
    if (values.size() == 1) return values[0];
    if (values.size() != static_cast<std::size_t>(channels)) {
      fail(ExitCode::usage, "data.{}: got {} numbers, expected {} (one a channel)", what, values.size(),
           channels);
    }
    return values[c];
  };
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const double m = pick(mean, c, 0, "mean");
    const double s = pick(std, c, 1, "std");
    if (!(s > 0)) fail(ExitCode::usage, "data.std: got {}, expected > 0", s);
    auto& row = table_.emplace_back();
    for (std::size_t v = 0; v < 256; ++v) row[v] = static_cast<float>((static_cast<double>(v) / 255 - m) / s);
  }
}

void Normaliser::write(const Image& image, bool channels_last, float* out) const {
  const auto channels = static_cast<std::size_t>(image.channels);
  MGD_ASSERT(channels == table_.size());
  const std::uint8_t* from = image.pixels.data();
  const std::size_t area = image.pixels.size() / channels;
  if (channels == 3) {
    const float *red = table_[0].data(), *green = table_[1].data(), *blue = table_[2].data();
    const std::size_t next = channels_last ? 1 : area, step = channels_last ? 3 : 1;
    for (std::size_t i = 0; i < area; ++i, from += 3, out += step) {
      out[0] = red[from[0]];
      out[next] = green[from[1]];
      out[2 * next] = blue[from[2]];
    }
    return;
  }
  MGD_ASSERT(channels == 1);
  for (std::size_t i = 0; i < area; ++i) out[i] = table_[0][from[i]];
}

namespace {

// Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000; below 1 by their boost
// U^(1/shape).
double draw_gamma(double shape, RandomStream& random) {
  if (shape < 1) return draw_gamma(shape + 1, random) * std::pow(1 - random.uniform(), 1 / shape);
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal();
    const double t = 1 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t;
    if (std::log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace

double draw_beta(double alpha, RandomStream& random) {
  const double a = draw_gamma(alpha, random);
  const double b = draw_gamma(alpha, random);
  return a + b > 0 ? a / (a + b) : 0.5;  // both underflow for a tiny alpha
}

double paste_box(Image& image, const Image& other, double lambda, RandomStream& random) {
  const auto h = image.height;
  const auto w = image.width;
  const double side = std::sqrt(1 - lambda);
  const auto y = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(h)));
  const auto x = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(w)));
  const auto half_h = static_cast<std::int64_t>(0.5 * side * static_cast<double>(h));
  const auto half_w = static_cast<std::int64_t>(0.5 * side * static_cast<double>(w));
  const std::int64_t y0 = std::max<std::int64_t>(0, y - half_h), y1 = std::min(h, y + half_h);
  const std::int64_t x0 = std::max<std::int64_t>(0, x - half_w), x1 = std::min(w, x + half_w);
  for (std::int64_t row = y0; row < y1; ++row) {
    const auto from = (row * w + x0) * image.channels;
    std::copy_n(other.pixels.begin() + from, (x1 - x0) * image.channels, image.pixels.begin() + from);
  }
  return 1 - static_cast<double>((y1 - y0) * (x1 - x0)) / static_cast<double>(h * w);
}

}  // namespace mgd
