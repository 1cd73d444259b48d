// The layers that models and losses are made of. Names of their tensors are PyTorch's (weight, bias,
// running_mean, ...). Every layer ends in forward.node(path(), y), so each is a tap and can be masked.
// Multiply-accumulates are those of the whole batch; a bias and a batch norm count as 0. An input of another
// shape, type or device than the layer's is Error(usage) with the layer's path.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/nn/folded_conv.h"
#include "mgd/nn/forward.h"
#include "mgd/nn/module.h"

namespace mgd {

struct Conv2dOptions {
  std::int64_t in = 0, out = 0, kernel = 3, stride = 1, padding = 0, groups = 1;
  bool bias = false;
  bool same = false;  // TensorFlow's padding in place of `padding`: see nn/conv_padding.h
  bool is_plain_3x3() const { return kernel == 3 && stride == 1 && (padding == 1 || same) && groups == 1; }
};

// How the weights of a convolution or linear layer start. fan_in = in / groups * kernel^2, fan_out = out *
// kernel^2.
enum class Init {
  torch_default,    // U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weight and bias: nn.Conv2d and nn.Linear
  kaiming_fan_out,  // N(0, 2 / fan_out), bias 0 (He et al. 2015): torchvision's networks
  kaiming_group,    // N(0, 2 groups / fan_out), bias 0: EfficientNets, where a depthwise filter starts larger
  kaiming_fan_in,   // N(0, 2 / fan_in), bias as torch_default: the CIFAR ResNets
  uniform_fan_out,  // U(-1/sqrt(fan_out), 1/sqrt(fan_out)), bias 0: the classifier of EfficientNets
  normal_001,       // N(0, 0.01^2), bias 0: the classifier of MobileNets
  normal_002        // N(0, 0.02^2), bias 0: ConvNeXt
};

class BatchNorm2d;

class Conv2d : public Module {
 public:
  Conv2d(Conv2dOptions options, RandomStream& random, Init init = Init::torch_default);
  at::Tensor forward(const at::Tensor& x, Forward& forward);  // (B, in, Y, X) -> (B, out, Y', X')
  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return *bias_; }  // of a layer that has one

 private:
  void check_input(const at::Tensor& x) const;
  friend at::Tensor conv_norm_folded(Conv2d&, BatchNorm2d&, const at::Tensor&, Forward&);
  at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                      Forward& forward) const;

  Conv2dOptions options_;
  at::Tensor& weight_;  // (out, in/groups, kernel, kernel)
  at::Tensor* bias_ = nullptr;
  FoldedConv folded_;
};

struct LinearOptions {
  std::int64_t in = 0, out = 0;
  bool bias = true;
  bool in_first = false;    // stored (in, out), as GPT-2's Conv1D
  double deviation = 0.02;  // weights start as N(0, deviation^2), biases as 0
};

class Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, RandomStream& random, Init init = Init::torch_default);
  Linear(LinearOptions options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, Forward& forward);  // (..., in) -> (..., out)

 private:
  at::Tensor& weight_;          // (out, in), or (in, out) when in_first_
  at::Tensor* bias_ = nullptr;  // (out)
  bool in_first_ = false;
};

// Sequences laid end to end: sample ids[b] is rows [offsets[b], offsets[b + 1]).
struct SampleRows {
  std::vector<std::int64_t> offsets;  // B + 1
  std::vector<std::int64_t> ids;      // B
};

// In training each value of each sample becomes 0 with probability p and is otherwise scaled by 1 / (1 - p)
// (Srivastava et al., JMLR 2014). Which ones is a function of (seed, step, sample, path, place in the
// sample), so longer padding does not change a sample's draws. Identity in evaluation and in a pass without
// draws.
class Dropout : public Module {
 public:
  explicit Dropout(double p);                                 // 0 ... 1; 1 leaves nothing
  at::Tensor forward(const at::Tensor& x, Forward& forward);  // (B, ...), same shape
  at::Tensor forward(const at::Tensor& x, const SampleRows& rows, Forward& forward);  // (N, ...) packed

 private:
  double p_;
};

// The module as such a layer; null when it is another, or null.
Linear* as_linear(Module* module);
Dropout* as_dropout(Module* module);

}  // namespace mgd
