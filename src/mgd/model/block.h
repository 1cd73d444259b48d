// What the architectures share: blocks, rows of blocks, and the checks and channel counts of a ModelSpec.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/model/image_model.h"
#include "mgd/nn/conv_norm.h"

namespace mgd {

class Block : public Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x, Forward& forward) = 0;  // (B, C, Y, X) -> (B, C', Y', X')
};

// Blocks in a row, named "0", "1", ... like nn.Sequential: "layer1.0", "layer1.1". Its output is a node of
// its own.
class Stage : public Block {
 public:
  template <class B, class... Args>
  void append(Args&&... args) {
    blocks_.push_back(&make_child<B>(std::to_string(blocks_.size()), std::forward<Args>(args)...));
  }
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;

 private:
  std::vector<Block*> blocks_;
};

// Children "0" (convolution) and "1" (batch norm), then the activation: a projection shortcut ("downsample")
// and the unit of MobileNets.
class ConvNorm : public Block {
 public:
  ConvNorm(Conv2dOptions options, RandomStream& random, Init init, Activation activation = Activation::none,
           NormOptions norm = {});
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;

 private:
  Conv2d& conv_;
  BatchNorm2d& norm_;
  Activation activation_;
};

// The two parts of a residual network that every family repeats.
Conv2dOptions conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride = 1);
Conv2dOptions conv1x1(std::int64_t in, std::int64_t out, std::int64_t stride = 1);

// The nearest multiple of `divisor`, at least that, never more than 10 % below `channels`: the rule of
// MobileNets and EfficientNets, which their widths depend on.
std::int64_t nearest_multiple(double channels, std::int64_t divisor = 8);

// Channels under spec.width: the nearest whole number, at least 1.
std::int64_t scaled_channels(std::int64_t channels, const ModelSpec& spec);

// The batch as node "input". Error(usage) unless it is (B, spec.in_channels, Y, X) with nothing of size 0 and
// both sides at least `smallest`, below which a map would vanish.
at::Tensor model_input(at::Tensor input, const ModelSpec& spec, Forward& forward, std::int64_t smallest = 1);

// Mean over the map as node "pool": (B, C, Y, X) -> (B, C).
at::Tensor global_pool(const at::Tensor& x, Forward& forward);

}  // namespace mgd
