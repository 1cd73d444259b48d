#include "mgd/model/numbered_layers.h"

#include <ATen/ops/max_pool2d.h>

namespace mgd {

void NumberedLayers::append(const ConvUnit& unit, RandomStream& random) {
  Layers layers{.activation = unit.activation, .last = {}};
  layers.conv = &make_child<Conv2d>(next_name(), unit.conv, random, init_);
  if (unit.norm) layers.norm = &make_child<BatchNorm2d>(next_name(), unit.conv.out);
  if (unit.activation != Activation::none) layers.last = next_name();
  rows_.push_back(layers);
}

void NumberedLayers::append_max_pool() {
  rows_.push_back({.last = next_name()});
}

at::Tensor NumberedLayers::run(const Layers& layers, const at::Tensor& x, Forward& forward) {
  at::Tensor y;
  if (layers.conv == nullptr)
    y = at::max_pool2d(x, 2, 2);
  else if (layers.norm != nullptr)
    y = conv_norm(*layers.conv, *layers.norm, x, forward, {layers.activation});
  else
    y = activated(layers.conv->forward(x, forward), layers.activation);
  return layers.last.empty() ? y : forward.node(path() + "." + layers.last, std::move(y));
}

at::Tensor NumberedLayers::run(const at::Tensor& x, Forward& forward) {
  at::Tensor y = x;
  for (const Layers& layers : rows_) y = run(layers, y, forward);
  return y;
}

at::Tensor NumberedLayers::forward(const at::Tensor& x, Forward& forward) {
  return forward.node(path(), run(x, forward));
}

}  // namespace mgd
