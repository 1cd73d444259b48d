#include "mgd/model/residual.h"

#include <ATen/ops/constant_pad_nd.h>

namespace mgd {

BasicBlock::BasicBlock(ResidualOptions options, RandomStream& random)
    : options_(options),
      conv1_(make_child<Conv2d>("conv1", conv3x3(options.in, options.out, options.stride), random,
                                options.init)),
      bn1_(make_child<BatchNorm2d>("bn1", options.out)),
      conv2_(make_child<Conv2d>("conv2", conv3x3(options.out, options.out), random, options.init)),
      bn2_(make_child<BatchNorm2d>("bn2", options.out)) {
  if (options.shortcut == Shortcut::project && (options.stride != 1 || options.in != options.out))
    downsample_ = &make_child<ConvNorm>("downsample", conv1x1(options.in, options.out, options.stride),
                                        random, options.init);
}

at::Tensor BasicBlock::shortcut(const at::Tensor& x, Forward& forward) {
  if (downsample_) return downsample_->forward(x, forward);
  if (options_.stride == 1 && options_.in == options_.out) return x;
  // The zeros stand half before and half after: the layout that published CIFAR weights were trained with.
  const std::int64_t added = options_.out - options_.in;
  const at::Tensor pixels =
      x.slice(2, 0, std::nullopt, options_.stride).slice(3, 0, std::nullopt, options_.stride);
  return at::constant_pad_nd(pixels, {0, 0, 0, 0, added / 2, added - added / 2});
}

at::Tensor BasicBlock::forward(const at::Tensor& x, Forward& forward) {
  at::Tensor y = conv_norm(conv1_, bn1_, x, forward, {Activation::relu});
  y = conv_norm(conv2_, bn2_, y, forward, {Activation::relu, shortcut(x, forward)});
  return forward.node(path(), std::move(y));
}

}  // namespace mgd
