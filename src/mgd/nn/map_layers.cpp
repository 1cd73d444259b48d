#include "mgd/nn/map_layers.h"

#include <ATen/ops/zeros.h>

#include "mgd/nn/init.h"
#include "mgd/ops/dense.h"

namespace mgd {

namespace {

at::Tensor pixels_last(const at::Tensor& map) {
  return map.permute({0, 2, 3, 1});
}

at::Tensor channels_second(const at::Tensor& pixels) {
  return pixels.permute({0, 3, 1, 2});
}

at::Tensor initial(const PixelLinearOptions& o, RandomStream& random) {
  at::Tensor weight = drawn_normal({o.out, o.in}, random, o.deviation);
  return o.flat ? weight : weight.view({o.out, o.in, 1, 1});
}

}  // namespace

at::Tensor MapNorm::forward(const at::Tensor& x, Forward& forward) {
  return forward.node(path(), channels_second(normed(pixels_last(x))));
}

PixelLinear::PixelLinear(PixelLinearOptions options, RandomStream& random)
    : weight_(add_parameter("weight", initial(options, random), TensorKind::weight)),
      bias_(add_parameter("bias", at::zeros({options.out}, at::kFloat), TensorKind::bias)) {}

at::Tensor PixelLinear::forward(const at::Tensor& x, Forward& forward) {
  const at::Tensor y = linear(pixels_last(x), weight_.flatten(1), bias_);
  forward.add_macs(y.numel() * x.size(1));
  return forward.node(path(), channels_second(y));
}

}  // namespace mgd
