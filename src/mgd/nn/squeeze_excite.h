// Channels weighed by what the whole map says (Hu, Shen and Sun, CVPR 2018, section 3).
#pragma once

#include <string>

#include "mgd/nn/activation.h"
#include "mgd/nn/layers.h"

namespace mgd {

struct SqueezeExciteOptions {
  std::int64_t channels = 0, reduced = 0;
  Activation activation = Activation::relu, gate = Activation::sigmoid;
  Init init = Init::kaiming_fan_out;
  std::string reduce = "conv_reduce", expand = "conv_expand";  // the names of the two convolutions
};

// x * gate(expand(activation(reduce(mean of x over the map)))): two 1x1 convolutions with bias.
class SqueezeExcite : public Module {
 public:
  SqueezeExcite(const SqueezeExciteOptions& options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward);  // (B, C, Y, X), same shape

 private:
  Activation activation_, gate_;
  Conv2d &reduce_, &expand_;
};

}  // namespace mgd
