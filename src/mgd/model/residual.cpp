#include "mgd/model/residual.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/relu.h>

#include <algorithm>

namespace mgd {

namespace {

// "0" is the mean where there is a stride, "1" the convolution and "2" its norm.
class MeanConvNorm : public Block {
 public:
  MeanConvNorm(const ResidualOptions& options, RandomStream& random)
      : stride_(options.stride),
        conv_(make_child<Conv2d>("1", conv1x1(options.in, options.out), random, options.init)),
        norm_(make_child<BatchNorm2d>("2", options.out)) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = x;
    if (stride_ != 1) {
      y = at::avg_pool2d(x, stride_, stride_, 0, /*ceil_mode=*/true, /*count_include_pad=*/false);
      y = forward.node(path() + ".0", std::move(y));
    }
    return forward.node(path(), conv_norm(conv_, norm_, y, forward));
  }

 private:
  std::int64_t stride_;
  Conv2d& conv_;
  BatchNorm2d& norm_;
};

Conv2dOptions grouped3x3(std::int64_t channels, std::int64_t stride, std::int64_t groups) {
  Conv2dOptions options = conv3x3(channels, channels, stride);
  options.groups = groups;
  return options;
}

// A sixteenth, as the nearest multiple of 8 (timm).
std::int64_t squeezed_channels(std::int64_t channels) {
  return std::max<std::int64_t>(8, (channels / 16 + 4) / 8 * 8);
}

}  // namespace

void ResidualBlock::make_end(RandomStream& random) {
  const auto& o = options_;
  if (o.squeeze)
    se_ = &make_child<SqueezeExcite>("se",
                                     SqueezeExciteOptions{.channels = o.out,
                                                          .reduced = squeezed_channels(o.out),
                                                          .init = o.init,
                                                          .reduce = "fc1",
                                                          .expand = "fc2"},
                                     random);
  if (o.shortcut == Shortcut::pad || (o.stride == 1 && o.in == o.out)) return;
  if (o.shortcut == Shortcut::project)
    downsample_ = &make_child<ConvNorm>("downsample", conv1x1(o.in, o.out, o.stride), random, o.init);
  else
    downsample_ = &make_child<MeanConvNorm>("downsample", o, random);
}

at::Tensor ResidualBlock::shortcut(const at::Tensor& x, Forward& forward) {
  if (downsample_) return downsample_->forward(x, forward);
  if (options_.stride == 1 && options_.in == options_.out) return x;
  // The zeros stand half before and half after: the layout that published CIFAR weights were trained with.
  const std::int64_t added = options_.out - options_.in;
  const at::Tensor pixels =
      x.slice(2, 0, std::nullopt, options_.stride).slice(3, 0, std::nullopt, options_.stride);
  return at::constant_pad_nd(pixels, {0, 0, 0, 0, added / 2, added - added / 2});
}

at::Tensor ResidualBlock::joined(Conv2d& conv, BatchNorm2d& norm, const at::Tensor& y, const at::Tensor& x,
                                 Forward& forward) {
  if (se_ == nullptr)
    return forward.node(path(), conv_norm(conv, norm, y, forward, {Activation::relu, shortcut(x, forward)}));
  const at::Tensor weighed = se_->forward(conv_norm(conv, norm, y, forward), forward);
  return forward.node(path(), at::relu(weighed + shortcut(x, forward)));
}

BasicBlock::BasicBlock(ResidualOptions options, RandomStream& random)
    : ResidualBlock(options),
      conv1_(make_child<Conv2d>("conv1", conv3x3(options.in, options.out, options.stride), random,
                                options.init)),
      bn1_(make_child<BatchNorm2d>("bn1", options.out)),
      conv2_(make_child<Conv2d>("conv2", conv3x3(options.out, options.out), random, options.init)),
      bn2_(make_child<BatchNorm2d>("bn2", options.out)) {
  make_end(random);
}

at::Tensor BasicBlock::forward(const at::Tensor& x, Forward& forward) {
  const at::Tensor y = conv_norm(conv1_, bn1_, x, forward, {Activation::relu});
  return joined(conv2_, bn2_, y, x, forward);
}

Bottleneck::Bottleneck(ResidualOptions options, std::int64_t inner, std::int64_t groups, RandomStream& random)
    : ResidualBlock(options),
      conv1_(make_child<Conv2d>("conv1", conv1x1(options.in, inner), random, options.init)),
      bn1_(make_child<BatchNorm2d>("bn1", inner)),
      conv2_(make_child<Conv2d>("conv2", grouped3x3(inner, options.stride, groups), random, options.init)),
      bn2_(make_child<BatchNorm2d>("bn2", inner)),
      conv3_(make_child<Conv2d>("conv3", conv1x1(inner, options.out), random, options.init)),
      bn3_(make_child<BatchNorm2d>("bn3", options.out)) {
  make_end(random);
}

at::Tensor Bottleneck::forward(const at::Tensor& x, Forward& forward) {
  at::Tensor y = conv_norm(conv1_, bn1_, x, forward, {Activation::relu});
  y = conv_norm(conv2_, bn2_, y, forward, {Activation::relu});
  return joined(conv3_, bn3_, y, x, forward);
}

}  // namespace mgd
