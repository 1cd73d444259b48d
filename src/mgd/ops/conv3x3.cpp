#include "mgd/ops/conv3x3.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mgd/core/error.h"
#include "mgd/kernels/winograd.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/conv_passes.h"
#include "mgd/ops/winograd.h"

namespace mgd {

namespace {

// oneDNN's convolution with our own weight gradient; or Winograd's.
class DenseConv : public torch::autograd::Function<DenseConv> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x0,
                            const at::Tensor& weight0, bool winograd) {
    const at::ScalarType type = factor_type(x0);
    const at::Tensor x = channels_last(x0.to(type)), weight = channels_last(weight0.to(type));
    ctx->save_for_backward({x, weight});
    ctx->saved_data["winograd"] = winograd;
    ctx->saved_data["x"] = x0.scalar_type();
    ctx->saved_data["weight"] = weight0.scalar_type();
    return winograd ? winograd_conv(x, weight) : at::conv2d(x, weight, {}, 1, 1);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], grad = channels_last(grads[0]);
    const bool winograd = ctx->saved_data["winograd"].toBool();
    at::Tensor grad_x, grad_weight;
    if (ctx->needs_input_grad(0))
      grad_x = winograd ? winograd_input_gradient(grad, weight) : dense_input_gradient(grad, x, weight);
    if (ctx->needs_input_grad(1))
      grad_weight = winograd ? winograd_weight_gradient(x, grad) : dense_weight_gradient(grad, x);
    if (grad_x.defined()) grad_x = grad_x.to(ctx->saved_data["x"].toScalarType());
    if (grad_weight.defined()) grad_weight = grad_weight.to(ctx->saved_data["weight"].toScalarType());
    return {grad_x, grad_weight, {}};
  }

 private:
  static at::Tensor dense_input_gradient(const at::Tensor& grad, const at::Tensor& x,
                                         const at::Tensor& weight) {
    return std::get<0>(at::convolution_backward(grad, x, weight, c10::nullopt, {1, 1}, {1, 1}, {1, 1}, false,
                                                {0, 0}, 1, {true, false, false}));
  }
  static at::Tensor dense_weight_gradient(const at::Tensor& grad, const at::Tensor& x) {
    const at::Tensor all = at::ones({x.size(0), 1, x.size(2), x.size(3)}, at::kBool);
    return visible_weight_gradient(plan_visible_positions(all, x.size(1)), x, grad, x.size(1));
  }
};

}  // namespace

at::Tensor conv3x3(const at::Tensor& x, const at::Tensor& weight, Winograd winograd) {
  // From so many channels on our weight gradient takes 0.4 (2048 channels) to 1 (256 channels at 28 x 28) of
  // oneDNN's time, and on maps as small as this all passes do: a third of the taps at the border of 4 x 4 and
  // a fifth at that of 7 x 7 read nothing.
  constexpr std::int64_t kWide = 256, kSmallMap = 49;
  const bool fits = is_real(x, 4) && is_real(weight, 4) && weight.size(1) == x.size(1) &&
                    weight.size(2) == 3 && weight.size(3) == 3;
  if (!fits)
    fail(ExitCode::usage, "conv3x3: got x {}, weight {}; expected (B, C, Y, X), (N, C, 3, 3)", outline_of(x),
         outline_of(weight));
  if (!fits_conv_passes(x, weight)) return at::conv2d(x, weight, {}, 1, 1);
  const bool wide = weight.size(0) >= kWide && weight.size(1) >= kWide;
  const bool by_winograd = factor_type(x) == at::kFloat &&
                           (winograd == Winograd::always ||
                            (winograd == Winograd::automatic &&
                             winograd_pays({x.size(0), x.size(2), x.size(3), x.size(1), weight.size(0)})));
  if (!by_winograd && wide && x.size(2) * x.size(3) <= kSmallMap)
    return masked_conv3x3(x, at::ones({1, 1, 1, 1}, at::kBool), weight,
                          at::zeros({weight.size(0)}, at::kFloat), {.skip = SkipHidden::always});
  return by_winograd || wide ? DenseConv::apply(x, weight, by_winograd) : at::conv2d(x, weight, {}, 1, 1);
}

bool winograd_pays(const ConvCase& c, bool filter_kept) {
  // The filters' transforms cost as much as this many tiles. Below 16 channels products of whole
  // vectors are mostly of zeros.
  constexpr std::int64_t kFewestChannels = 16, kTilesOfFilters = 32;
  constexpr double kEach = 1.7;  // a multiply-accumulate against one of the dense convolution
  const std::int64_t tiles = c.batch * WinogradMap{c.height, c.width, c.in}.tiles();
  return c.in >= kFewestChannels && c.out >= kFewestChannels &&
         kEach * static_cast<double>(kWinogradPlanes * (tiles + (filter_kept ? 0 : kTilesOfFilters))) <
             static_cast<double>(kConvTaps * c.batch * c.height * c.width);
}

}  // namespace mgd
