#include "mgd/nn/conv_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

// The output of a norm, and what comes after it. In place only in a tensor that nobody else has seen.
at::Tensor finished(at::Tensor y, bool seen, const AfterNorm& after) {
  const ActivationLimits limits = limits_of(after.activation);
  const bool smooth = !only_limits(after.activation);
  if (seen || at::GradMode::is_enabled()) {
    y = finish_norm(y, after.shortcut, limits);
    return smooth ? activated(y, after.activation) : y;
  }
  y = finish_norm_(std::move(y), after.shortcut, limits);
  return smooth ? activated_(std::move(y), after.activation) : y;
}

}  // namespace

BatchNorm2d::BatchNorm2d(std::int64_t channels, NormOptions options)
    : options_(options),
      weight_(add_parameter("weight", at::ones({channels}, at::kFloat), TensorKind::norm)),
      bias_(add_parameter("bias", at::zeros({channels}, at::kFloat), TensorKind::norm)),
      running_mean_(add_buffer("running_mean", at::zeros({channels}, at::kFloat))),
      running_var_(add_buffer("running_var", at::ones({channels}, at::kFloat))),
      num_batches_tracked_(add_buffer("num_batches_tracked", at::zeros({}, at::kLong))) {}

at::Tensor BatchNorm2d::train(const at::Tensor& x, const AfterNorm& after) {
  if (x.numel() == x.size(1))
    fail(ExitCode::usage,
         "{}: batch norm in training: got one value per channel (input {}x{}x{}x{}), expected at least two; "
         "use a larger batch or a larger image",
         path(), x.size(0), x.size(1), x.size(2), x.size(3));
  num_batches_tracked_.add_(1);
  const at::Tensor y = batch_norm_in_training(
      x, {.weight = weight_, .bias = bias_, .running_mean = running_mean_, .running_var = running_var_},
      after.shortcut,
      {.momentum = options_.momentum, .eps = options_.eps, .limits = limits_of(after.activation)});
  return only_limits(after.activation) ? y : activated(y, after.activation);
}

at::Tensor BatchNorm2d::forward(const at::Tensor& x, Forward& forward, const AfterNorm& after) {
  if (!is_real(x, 4) || x.size(1) != weight_.size(0) || x.numel() == 0)
    refuse(path(), "input", x, fmt::format("numbers (B, {}, Y, X), at least one", weight_.size(0)));
  const bool seen = forward.wants(path()) || forward.edits(path());
  const bool training = forward.training() && !frozen();
  if (training && !seen) return train(x, after);
  at::Tensor y = training ? train(x, {})
                          : at::batch_norm(x, weight_, bias_, running_mean_, running_var_,
                                           /*training=*/false, options_.momentum, options_.eps,
                                           /*cudnn_enabled=*/true);
  return finished(forward.node(path(), std::move(y)), seen, after);
}

// Undefined where the convolution is to be computed as it is.
at::Tensor conv_norm_folded(Conv2d& conv, BatchNorm2d& norm, const at::Tensor& x, Forward& forward) {
  // Folding is half a dozen small operators, which a small activation does not pay back.
  constexpr std::int64_t kWorthFolding = 1 << 17;
  if (forward.training() || at::GradMode::is_enabled() || forward.wants(conv.path()) ||
      forward.edits(conv.path()))
    return {};
  const FoldSources sources{.conv_weight = conv.weight_,
                            .conv_bias = conv.bias_,
                            .norm_weight = norm.weight_,
                            .norm_bias = norm.bias_,
                            .running_mean = norm.running_mean_,
                            .running_var = norm.running_var_,
                            .num_batches_tracked = norm.num_batches_tracked_,
                            .eps = norm.options_.eps};
  if (conv.weight_.requires_grad()) {  // it trains between two evaluations
    if (x.numel() < kWorthFolding) return {};
    conv.check_input(x);
    const Folded fresh = folded(sources);
    return conv.convolve(x, fresh.weight, fresh.shift, forward);
  }
  conv.check_input(x);
  at::Tensor y = conv.folded_.run(x, sources, conv.options_, forward.winograd());
  forward.add_macs(y.numel() / y.size(1) * conv.weight_.numel());
  return y;
}

at::Tensor conv_norm(Conv2d& conv, BatchNorm2d& norm, const at::Tensor& x, Forward& forward,
                     const AfterNorm& after) {
  at::Tensor y = conv_norm_folded(conv, norm, x, forward);
  if (!y.defined()) return norm.forward(conv.forward(x, forward), forward, after);
  const bool seen = forward.wants(norm.path()) || forward.edits(norm.path());
  return finished(forward.node(norm.path(), std::move(y)), seen, after);
}

}  // namespace mgd
