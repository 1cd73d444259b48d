// Layers that treat every pixel of a map as a vector: layer norm, and a product with a matrix.
// Maps stay (B, C, Y, X); memory lies channels-last, in which a pixel's vector is one piece.
#pragma once

#include <cstdint>

#include "mgd/core/philox.h"
#include "mgd/nn/forward.h"
#include "mgd/nn/module.h"
#include "mgd/nn/text_layers.h"

namespace mgd {

// Mean and variance are those of a pixel's channels (Ba et al. 2016).
class MapNorm : public LayerNorm {
 public:
  explicit MapNorm(std::int64_t channels, double eps = 1e-6) : LayerNorm(channels, eps, /*bias=*/true) {}
  at::Tensor forward(const at::Tensor& x, Forward& forward);  // (B, C, Y, X)
};

// A convolution 1x1 with a bias. `flat`: its weight is stored (out, in), as that of a linear layer.
struct PixelLinearOptions {
  std::int64_t in = 0, out = 0;
  bool flat = false;
  double deviation = 0.02;  // weights start as N(0, deviation^2), biases as 0
};

class PixelLinear : public Module {
 public:
  PixelLinear(PixelLinearOptions options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward);  // (B, in, Y, X) -> (B, out, Y, X)

 private:
  at::Tensor& weight_;  // (out, in, 1, 1), or (out, in) when flat
  at::Tensor& bias_;    // (out)
};

}  // namespace mgd
