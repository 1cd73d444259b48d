#include "mgd/model/mobile_block.h"

namespace mgd {

namespace {

Conv2dOptions with_style(Conv2dOptions conv, const MobileStyle& style) {
  conv.same = style.same;
  return conv;
}

std::string node_name(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

}  // namespace

NamedUnit::NamedUnit(UnitNames names, const Options& o, RandomStream& random)
    : out_(std::move(names.out)),
      activation_(o.activation),
      conv_(make_child<Conv2d>(names.conv, with_style(o.conv, o.style), random, o.style.init)),
      norm_(make_child<BatchNorm2d>(names.norm, o.conv.out, o.style.norm)) {}

at::Tensor NamedUnit::forward(const at::Tensor& x, Forward& forward) {
  return forward_with(x, {}, forward);
}

at::Tensor NamedUnit::forward_with(const at::Tensor& x, const at::Tensor& shortcut, Forward& forward) {
  at::Tensor y = conv_norm(conv_, norm_, x, forward, {activation_, shortcut});
  return out_.empty() ? y : forward.node(node_name(path(), out_), std::move(y));
}

MobileBlock::MobileBlock(const BlockNames& names, const MobileBlockOptions& o, RandomStream& random)
    : inner_(names.inner), residual_(o.stride == 1 && o.in == o.out) {
  // The units have no name of their own between the block's and their layers'.
  const auto unit = [&](const UnitNames& unit_names, const Conv2dOptions& conv, Activation activation) {
    return &make_child<NamedUnit>("", unit_names, NamedUnit::Options{conv, activation, o.style}, random);
  };
  if (o.expands) expand_ = unit(names.expand, conv1x1(o.in, o.hidden), o.activation);
  const Conv2dOptions depthwise{.in = o.hidden,
                                .out = o.hidden,
                                .kernel = o.kernel,
                                .stride = o.stride,
                                .padding = o.kernel / 2,
                                .groups = o.hidden};
  depthwise_ = unit(names.depthwise, depthwise, o.activation);
  if (o.squeezed > 0)
    squeeze_ = &make_child<SqueezeExcite>(names.squeeze,
                                          SqueezeExciteOptions{.channels = o.hidden,
                                                               .reduced = o.squeezed,
                                                               .activation = o.squeeze_activation,
                                                               .gate = o.gate,
                                                               .init = o.style.init,
                                                               .reduce = names.reduce,
                                                               .expand = names.widen},
                                          random);
  project_ = unit(names.project, conv1x1(o.hidden, o.out), Activation::none);
}

at::Tensor MobileBlock::forward(const at::Tensor& x, Forward& forward) {
  at::Tensor y = expand_ ? expand_->forward(x, forward) : x;
  y = depthwise_->forward(y, forward);
  if (squeeze_) y = squeeze_->forward(y, forward);
  if (inner_.empty()) {
    y = project_->forward_with(y, residual_ ? x : at::Tensor(), forward);
  } else {
    y = forward.node(node_name(path(), inner_), project_->forward(y, forward));
    if (residual_) y = x.add(y);
  }
  return forward.node(path(), std::move(y));
}

}  // namespace mgd
