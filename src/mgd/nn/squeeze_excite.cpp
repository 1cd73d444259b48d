#include "mgd/nn/squeeze_excite.h"

#include <ATen/ops/mean.h>

namespace mgd {

namespace {

Conv2dOptions pointwise(std::int64_t in, std::int64_t out) {
  return {.in = in, .out = out, .kernel = 1, .bias = true};
}

}  // namespace

SqueezeExcite::SqueezeExcite(const SqueezeExciteOptions& o, RandomStream& random)
    : activation_(o.activation),
      gate_(o.gate),
      reduce_(make_child<Conv2d>(o.reduce, pointwise(o.channels, o.reduced), random, o.init)),
      expand_(make_child<Conv2d>(o.expand, pointwise(o.reduced, o.channels), random, o.init)) {}

at::Tensor SqueezeExcite::forward(const at::Tensor& x, Forward& forward) {
  at::Tensor s = reduce_.forward(at::mean(x, {2, 3}, /*keepdim=*/true), forward);
  s = expand_.forward(activated(s, activation_), forward);
  return forward.node(path(), x.mul(activated(s, gate_)));
}

}  // namespace mgd
