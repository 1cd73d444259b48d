// The block of mobile networks: expand, depthwise convolution [, squeeze-and-excitation], project.
#pragma once

#include <string>

#include "mgd/model/block.h"
#include "mgd/model/mobile_names.h"
#include "mgd/nn/squeeze_excite.h"

namespace mgd {

// What all convolutions of a mobile network share.
struct MobileStyle {
  NormOptions norm;
  Init init = Init::kaiming_fan_out;
  bool same = false;  // TensorFlow's padding
};

// Convolution, norm and activation, under names that need not be its own module.
class NamedUnit : public Block {
 public:
  struct Options {
    Conv2dOptions conv;
    Activation activation = Activation::none;
    MobileStyle style;
  };
  NamedUnit(UnitNames names, const Options& options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;
  // The same with (B, out, Y', X') added behind the norm.
  at::Tensor forward_with(const at::Tensor& x, const at::Tensor& shortcut, Forward& forward);

 private:
  std::string out_;
  Activation activation_;
  Conv2d& conv_;
  BatchNorm2d& norm_;
};

struct MobileBlockOptions {
  std::int64_t in = 0, hidden = 0, out = 0, kernel = 3, stride = 1;
  std::int64_t squeezed = 0;  // channels between the two layers of squeeze-and-excitation; 0: none
  bool expands = true;
  Activation activation = Activation::relu6, squeeze_activation = Activation::relu,
             gate = Activation::sigmoid;
  MobileStyle style;
};

// The shortcut is there where input and output have one shape (Sandler et al., CVPR 2018, figure 4).
class MobileBlock : public Block {
 public:
  MobileBlock(const BlockNames& names, const MobileBlockOptions& options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;

 private:
  std::string inner_;
  bool residual_;
  NamedUnit* expand_ = nullptr;
  NamedUnit* depthwise_ = nullptr;
  SqueezeExcite* squeeze_ = nullptr;
  NamedUnit* project_ = nullptr;
};

}  // namespace mgd
