// The residual block with two 3x3 convolutions, under the names conv1, bn1, conv2, bn2 [, downsample].
#pragma once

#include "mgd/model/block.h"

namespace mgd {

enum class Shortcut {
  pad,     // option A: every stride-th pixel, new channels are zeros; no parameters
  project  // option B: 1x1 convolution and batch norm
};

struct ResidualOptions {
  std::int64_t in = 0, out = 0, stride = 1;
  Shortcut shortcut = Shortcut::project;
  Init init = Init::kaiming_fan_out;
};

class BasicBlock : public Block {
 public:
  BasicBlock(ResidualOptions options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;

 private:
  at::Tensor shortcut(const at::Tensor& x, Forward& forward);

  ResidualOptions options_;
  Conv2d& conv1_;
  BatchNorm2d& bn1_;
  Conv2d& conv2_;
  BatchNorm2d& bn2_;
  ConvNorm* downsample_ = nullptr;
};

}  // namespace mgd
