// Batch norm, and the chain that convolutional networks are made of: convolution, norm [, shortcut]
// [, activation]. What nobody looks at in between is never made.
#pragma once

#include "mgd/nn/activation.h"
#include "mgd/nn/forward.h"
#include "mgd/nn/layers.h"
#include "mgd/nn/module.h"

namespace mgd {

// What follows a batch norm before the next node: act(norm + shortcut).
struct AfterNorm {
  Activation activation = Activation::none;
  at::Tensor shortcut;  // of the norm's shape; undefined: none
};

// PyTorch's defaults. Networks that come from TensorFlow have an eps of 1e-3, which their weights depend on.
struct NormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  // the share of the new batch in the running statistics
};

// Statistics move in training mode only, and not in a frozen layer (the running variance is the unbiased
// one, the batch is normalised with the biased one, as everywhere in PyTorch). A batch of one 1x1 map in
// training has no variance: Error(usage).
class BatchNorm2d : public Module {
 public:
  explicit BatchNorm2d(std::int64_t channels, NormOptions options = {});

  // (B, C, Y, X). The norm is the node. With something after it, and in training when nobody looks at the
  // node, all is one operation.
  at::Tensor forward(const at::Tensor& x, Forward& forward, const AfterNorm& after = {});

 private:
  friend at::Tensor conv_norm_folded(Conv2d&, BatchNorm2d&, const at::Tensor&, Forward&);
  at::Tensor train(const at::Tensor& x, const AfterNorm& after);
  NormOptions options_;
  at::Tensor &weight_, &bias_, &running_mean_, &running_var_, &num_batches_tracked_;
};

// act(norm(conv(x)) + shortcut); convolution and norm are nodes. In evaluation without gradient, when nobody
// looks at the convolution's own node, the norm is folded into its weights: a pass through memory less, and
// another rounding.
at::Tensor conv_norm(Conv2d& conv, BatchNorm2d& norm, const at::Tensor& x, Forward& forward,
                     const AfterNorm& after = {});

}  // namespace mgd
