// Pictures -> one slot of a batch tensor, and the mixing of two samples.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/format/image.h"

namespace mgd {

// input = (pixel / 255 - mean) / std as a table: one row of 256 floats a channel.
class Normaliser {
 public:
  // One number a channel, or one for all. Throws Error(usage) for another count or std <= 0.
  Normaliser(const std::vector<double>& mean, const std::vector<double>& std, std::int64_t channels);
  // Writes one picture to `out`: (Y, X, C) when channels_last, otherwise (C, Y, X).
  void write(const Image& image, bool channels_last, float* out) const;

 private:
  std::vector<std::array<float, 256>> table_;
};

// Beta(alpha, alpha), alpha > 0, from two gamma draws.
double draw_beta(double alpha, RandomStream& random);

// CutMix (Yun et al. 2019, section 3.1): pastes a random box of `other`, area about 1 - lambda, into `image`
// (same shape). Returns the fraction of `image` that stays.
double paste_box(Image& image, const Image& other, double lambda, RandomStream& random);

}  // namespace mgd
