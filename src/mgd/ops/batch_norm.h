// Batch norm of convolutional maps in training, with the shortcut and the activation behind it: two passes
// through memory forward and two backward, where the operators one by one take five and seven.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <limits>

namespace mgd {

struct BatchNormTensors {
  at::Tensor weight, bias, running_mean, running_var;  // (C) float
};

// y = min(max(z, low), high). Where y is at a limit, no gradient passes, as for at::relu and at::hardtanh.
struct ActivationLimits {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  bool none() const { return std::isinf(low) && std::isinf(high); }
};

struct BatchNormOptions {
  double momentum = 0.1, eps = 1e-5;
  ActivationLimits limits;
};

// act(weight * (x - mean) / sqrt(var + eps) + bias [+ shortcut]) with the mean and the biased variance over
// (B, Y, X) (Ioffe and Szegedy, ICML 2015); the running statistics move towards the mean and the unbiased
// variance. x (B, C, Y, X) with at least two values a channel; shortcut of the same shape, or undefined;
// others: Error(usage). NaN stays NaN. Other types, layouts and devices than float channels-last on the CPU
// take the operators one by one. Independent of the number of threads.
at::Tensor batch_norm_in_training(const at::Tensor& x, const BatchNormTensors& norm,
                                  const at::Tensor& shortcut, const BatchNormOptions& options);

// act(y [+ shortcut]) by the operators one by one; y itself where there is nothing to do.
at::Tensor finish_norm(const at::Tensor& y, const at::Tensor& shortcut, const ActivationLimits& limits);

// The same in one pass, into y itself, which nobody else may look at and which carries no
// gradient. shortcut as above.
at::Tensor finish_norm_(at::Tensor y, const at::Tensor& shortcut, const ActivationLimits& limits);

}  // namespace mgd
