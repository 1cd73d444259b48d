// Residual blocks: two 3x3 convolutions under the names conv1, bn1, conv2, bn2 [, se] [, downsample], or a
// bottleneck of three.
#pragma once

#include "mgd/model/block.h"
#include "mgd/nn/squeeze_excite.h"

namespace mgd {

enum class Shortcut {
  pad,          // option A: every stride-th pixel, new channels are zeros; no parameters
  project,      // option B: 1x1 convolution and batch norm
  mean_project  // means of 2 x 2 in place of a stride, then as above (He et al. 2019, figure 2c)
};

struct ResidualOptions {
  std::int64_t in = 0, out = 0, stride = 1;
  Shortcut shortcut = Shortcut::project;
  Init init = Init::kaiming_fan_out;
  bool squeeze = false;  // "se": channels are weighed before the shortcut is added
};

class ResidualBlock : public Block {
 protected:
  explicit ResidualBlock(ResidualOptions options) : options_(options) {}
  void make_end(RandomStream& random);  // after the layers of the block, which start first
  // relu(squeeze(norm(conv(y))) + shortcut(x)).
  at::Tensor joined(Conv2d& conv, BatchNorm2d& norm, const at::Tensor& y, const at::Tensor& x,
                    Forward& forward);

 private:
  at::Tensor shortcut(const at::Tensor& x, Forward& forward);

  ResidualOptions options_;
  SqueezeExcite* se_ = nullptr;
  Block* downsample_ = nullptr;
};

class BasicBlock : public ResidualBlock {
 public:
  BasicBlock(ResidualOptions options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;

 private:
  Conv2d& conv1_;
  BatchNorm2d& bn1_;
  Conv2d& conv2_;
  BatchNorm2d& bn2_;
};

// 1x1 to `inner` channels, 3x3 in `groups`, 1x1 to options.out.
class Bottleneck : public ResidualBlock {
 public:
  Bottleneck(ResidualOptions options, std::int64_t inner, std::int64_t groups, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;

 private:
  Conv2d& conv1_;
  BatchNorm2d& bn1_;
  Conv2d& conv2_;
  BatchNorm2d& bn2_;
  Conv2d& conv3_;
  BatchNorm2d& bn3_;
};

}  // namespace mgd
