#include "mgd/ops/masked_conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/any.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/threshold_backward.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/conv_passes.h"

namespace mgd {

namespace {

struct PlanHolder : torch::CustomClassHolder {
  ConvPlan plan;
};

class MaskedConv : public torch::autograd::Function<MaskedConv> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const c10::intrusive_ptr<PlanHolder>& holder, const MaskedConvOptions& options) {
    const at::ScalarType type = factor_type(x);
    const ConvPlan& plan = holder->plan;
    const ConvWeights weights = conv_weights(plan, weight.to(type));
    const at::Tensor compact = gather_visible(plan, x.to(type));
    ctx->saved_data["plan"] = c10::IValue::make_capsule(holder);
    ctx->saved_data["x"] = x.scalar_type();
    ctx->saved_data["weight"] = weight.scalar_type();
    const at::Tensor y =
        convolve_visible(plan, compact, weights, bias, {x.size(0), weight.size(0), x.size(2), x.size(3)},
                         options.relu, options.macs);
    // The backward pass reads the transposed weights under masks of channels only.
    ctx->save_for_backward({compact, weights.weight, plan.by_channel ? weights.transposed : at::Tensor(),
                            options.relu ? y : at::Tensor()});
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &compact = saved[0], &y = saved[3];
    const ConvWeights weights{saved[1], saved[2]};
    const auto holder = c10::static_intrusive_pointer_cast<PlanHolder>(ctx->saved_data["plan"].toCapsule());
    const at::Tensor grad = channels_last(y.defined() ? at::threshold_backward(grads[0], y, 0) : grads[0]);
    const at::ScalarType x_type = ctx->saved_data["x"].toScalarType(),
                         weight_type = ctx->saved_data["weight"].toScalarType();
    at::Tensor grad_x, grad_weight, grad_bias;
    if (ctx->needs_input_grad(0)) grad_x = visible_input_gradient(holder->plan, grad, weights).to(x_type);
    if (ctx->needs_input_grad(1))
      grad_weight =
          visible_weight_gradient(holder->plan, compact, grad, weights.weight.size(1)).to(weight_type);
    if (ctx->needs_input_grad(2))
      grad_bias = at::sum(grad, {0, 2, 3}, /*keepdim=*/false, at::kFloat).to(weight_type);
    return {grad_x, grad_weight, grad_bias, {}, {}};
  }
};

void check(const at::Tensor& x, const at::Tensor& keep, const at::Tensor& weight, const at::Tensor& bias) {
  const bool fits = is_real(x, 4) && is_real(weight, 4) && is_real(bias, 1) && weight.size(1) == x.size(1) &&
                    weight.size(2) == 3 && weight.size(3) == 3 && bias.size(0) == weight.size(0);
  if (!fits)
    fail(ExitCode::usage,
         "masked_conv3x3: got x {}, weight {}, bias {}; expected (B, C, Y, X), (N, C, 3, 3), (N)",
         outline_of(x), outline_of(weight), outline_of(bias));
  if (!keep.defined()) return;
  bool broadcasts = keep.dim() == 4 && keep.scalar_type() == at::kBool;
  for (std::int64_t d = 0; broadcasts && d < 4; ++d)
    broadcasts = keep.size(d) == 1 || keep.size(d) == x.size(d);
  if (!broadcasts)
    fail(ExitCode::usage, "masked_conv3x3: got keep {}, expected bool that broadcasts to {}",
         outline_of(keep), c10::str(x.sizes()));
}

// Of its positions or channels: keep (B, 1, Y, X), (B, C, 1, 1).
double visible_frac(const at::Tensor& keep) {
  const bool* data = keep.const_data_ptr<bool>();
  const auto count = static_cast<double>(std::count(data, data + keep.numel(), true));
  return keep.numel() == 0 ? 0 : count / static_cast<double>(keep.numel());
}

}  // namespace

at::Tensor masked_conv3x3(const at::Tensor& x, const at::Tensor& keep, const at::Tensor& weight,
                          const at::Tensor& bias, const MaskedConvOptions& options) {
  check(x, keep, weight, bias);
  const auto dense = [&] {
    const at::Tensor shown = keep.defined() ? at::where(keep, x, 0.0) : x;
    const at::Tensor y = at::conv2d(shown, weight, bias, 1, 1);
    if (options.macs != nullptr) *options.macs += y.numel() * kConvTaps * x.size(1);
    return options.relu ? at::relu(y) : y;
  };
  if (!keep.defined() || options.skip == SkipHidden::never || !fits_conv_passes(x, weight)) return dense();

  const std::int64_t batch = x.size(0), height = x.size(2), width = x.size(3);
  const MaskKind kind = mask_kind(keep);
  const bool by_channel = kind == MaskKind::channels;
  const at::Tensor places = (kind == MaskKind::elements ? at::any(keep, 1, /*keepdim=*/true) : keep)
                                .expand(by_channel ? at::IntArrayRef{batch, x.size(1), 1, 1}
                                                   : at::IntArrayRef{batch, 1, height, width})
                                .contiguous();
  const ConvCase c{batch,          height,
                   width,          x.size(1),
                   weight.size(0), visible_frac(places),
                   by_channel,     factor_type(x) == at::kBFloat16};
  if (options.skip == SkipHidden::automatic && !skipping_pays(c)) return dense();
  auto holder = c10::make_intrusive<PlanHolder>();
  holder->plan =
      by_channel ? plan_visible_channels(places, height, width) : plan_visible_positions(places, x.size(1));
  const at::Tensor shown = kind == MaskKind::elements ? at::where(keep, x, 0.0) : x;
  return MaskedConv::apply(shown, weight, bias, holder, options);
}

bool skipping_pays(const ConvCase& c) {
  // A visible multiply-accumulate costs more than a dense one; where every sample has channels of its own,
  // their weights are copied for it, which costs as much as this many positions of its map.
  const double each = c.bf16 ? 1.2 : 1.1, positions_of_copy = c.bf16 ? 10 : 4;
  const auto area = static_cast<double>(c.height * c.width);
  const double copies = c.by_channel ? 1 + positions_of_copy / area : 1;
  return c.visible_frac * each * copies < 1;
}

}  // namespace mgd
