#include "mgd/ops/masked_conv.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/any.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/threshold_backward.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/kernels/winograd.h"
#include "mgd/ops/conv_plan.h"
#include "mgd/ops/mixed_precision.h"
#include "mgd/ops/winograd.h"

namespace mgd {

namespace {

struct PlanHolder : torch::CustomClassHolder {
  ConvPlan plan;
};

std::int64_t panels_of(std::int64_t columns) {
  return (columns + kConvPanel - 1) / kConvPanel;
}

// Nothing two calls write is shared, so threads change nothing.
template <class Work>
void for_each_task(std::int64_t tasks, const Work& work) {
  at::parallel_for(0, tasks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) work(begin);
  });
}

// Work of one call each, added up in the order of the tasks.
class TaskWork {
 public:
  explicit TaskWork(std::int64_t tasks) : work_(static_cast<std::size_t>(tasks)) {}
  ConvWork& of(std::int64_t task) { return work_[static_cast<std::size_t>(task)]; }
  std::int64_t macs() const {
    std::int64_t sum = 0;
    for (const ConvWork& w : work_) sum += w.macs;
    return sum;
  }

 private:
  std::vector<ConvWork> work_;
};

at::Tensor channels_last(const at::Tensor& t) {
  return t.contiguous(at::MemoryFormat::ChannelsLast);
}

// Rows of a channels-last map, from the segment's first position on.
template <class T>
Rows<T> rows_of(T* map, const ConvSegment& s, std::int64_t channels) {
  return {map + s.first_position * channels, channels};
}

// Of a channels-last weight (N, C, 3, 3), as (9, C, N).
at::Tensor inputs_first(const at::Tensor& weight) {
  return weight.permute({0, 2, 3, 1})
      .reshape({weight.size(0), -1})
      .t()
      .contiguous()
      .view({kConvTaps, weight.size(1), weight.size(0)});
}

template <class T>
constexpr at::ScalarType kTypeOf = std::is_same_v<T, Bf16> ? at::kBFloat16 : at::kFloat;

template <class T>
const T* data_of(const at::Tensor& t) {
  TORCH_INTERNAL_ASSERT(t.scalar_type() == kTypeOf<T>);
  return static_cast<const T*>(t.const_data_ptr());
}

template <class T>
at::Tensor gather(const ConvPlan& plan, const at::Tensor& x) {
  at::Tensor compact = at::empty({plan.num_values}, kTypeOf<T>);
  T* to = static_cast<T*>(compact.mutable_data_ptr());
  const T* from = data_of<T>(x);
  for_each_task(static_cast<std::int64_t>(plan.segments.size()), [&](std::int64_t i) {
    const ConvSegment& s = plan.segments[static_cast<std::size_t>(i)];
    gather_visible(rows_of(from, s, x.size(1)), s.part, to + s.first_value);
  });
  return compact;
}

at::Tensor scatter(const ConvPlan& plan, const at::Tensor& compact, at::IntArrayRef shape) {
  at::Tensor map = at::empty(shape, compact.options().memory_format(at::MemoryFormat::ChannelsLast)).zero_();
  float* to = map.mutable_data_ptr<float>();
  const float* from = compact.const_data_ptr<float>();
  for_each_task(static_cast<std::int64_t>(plan.segments.size()), [&](std::int64_t i) {
    const ConvSegment& s = plan.segments[static_cast<std::size_t>(i)];
    scatter_visible(from + s.first_value, s.part, rows_of(to, s, shape[1]));
  });
  return map;
}

// Runs `make(segment)`, a ConvProduct<T>, for every segment and panel of its result.
template <class T, class Make>
std::int64_t run_products(const ConvPlan& plan, const Make& make) {
  struct Task {
    std::size_t segment;
    std::int64_t panel;
  };
  std::vector<Task> tasks;  // panel by panel, so that threads share the weights that they read
  std::int64_t most = 0;
  for (const ConvSegment& s : plan.segments) most = std::max(most, panels_of(make(s).width));
  for (std::int64_t panel = 0; panel < most; ++panel)
    for (std::size_t s = 0; s < plan.segments.size(); ++s)
      if (panel < panels_of(make(plan.segments[s]).width)) tasks.push_back({s, panel});
  const auto multiply = masked_conv_kernel<T>(chosen_isa()).product;
  TaskWork work(static_cast<std::int64_t>(tasks.size()));
  for_each_task(static_cast<std::int64_t>(tasks.size()), [&](std::int64_t i) {
    const Task& task = tasks[static_cast<std::size_t>(i)];
    ConvProduct<T> product = make(plan.segments[task.segment]);
    at::Tensor sums;
    if (product.rounded.data != nullptr) {
      sums = at::empty({product.to_rows * kConvPanel}, at::kFloat);
      product.to = {sums.mutable_data_ptr<float>(), kConvPanel};
    }
    multiply(product, task.panel, work.of(i));
  });
  return work.macs();
}

// compact, transposed (9, C, N) of T -> y.
template <class T>
at::Tensor forward_cpu(const ConvPlan& plan, const at::Tensor& compact, const at::Tensor& transposed,
                       const at::Tensor& bias, at::IntArrayRef shape, const MaskedConvOptions& options) {
  const std::int64_t in = transposed.size(1), out = transposed.size(2);
  at::Tensor y =
      at::empty(shape, at::TensorOptions(kTypeOf<T>).memory_format(at::MemoryFormat::ChannelsLast));
  const at::Tensor start = bias.to(at::kFloat).contiguous();
  const T *from = data_of<T>(compact), *w = data_of<T>(transposed);
  T* to = static_cast<T*>(y.mutable_data_ptr());
  const std::int64_t macs = run_products<T>(plan, [&](const ConvSegment& s) {
    ConvProduct<T> product{.begin = s.pairs.begin,
                           .from_row = s.pairs.input,
                           .to_row = s.pairs.output,
                           .from = {from + s.first_value, s.part.depth},
                           .depth = s.part.depth,
                           .width = out,
                           .to_rows = s.num_positions,
                           .weight = {w, in * out, out, 1, s.part.channels, nullptr},
                           .start = start.const_data_ptr<float>(),
                           .relu = options.relu};
    if constexpr (std::is_same_v<T, Bf16>)
      product.rounded = rows_of(to, s, out);
    else
      product.to = rows_of(to, s, out);
    return product;
  });
  if (options.macs != nullptr) *options.macs += macs;
  return y;
}

// grad, weight (N, C, 3, 3) channels-last, transposed (9, C, N) of T -> float.
template <class T>
at::Tensor input_gradient(const ConvPlan& plan, const at::Tensor& grad, const at::Tensor& weight,
                          const at::Tensor& transposed) {
  const std::int64_t in = weight.size(1), out = weight.size(0);
  at::Tensor compact = at::empty({plan.num_values}, at::kFloat);
  const T* from = data_of<T>(grad);
  // A mask of channels chooses columns, which lie side by side in one of the two only.
  const ConvWeight<T> columns{data_of<T>(weight), in, kConvTaps * in, 1},
      chosen{data_of<T>(transposed), in * out, 1, out};
  float* to = compact.mutable_data_ptr<float>();
  run_products<T>(plan, [&](const ConvSegment& s) {
    ConvWeight<T> w = s.part.channels ? chosen : columns;
    w.j_index = s.part.channels;
    return ConvProduct<T>{.begin = s.pairs.begin,
                          .from_row = s.pairs.output,
                          .to_row = s.pairs.input,
                          .from = rows_of(from, s, out),
                          .to = {to + s.first_value, s.part.depth},
                          .depth = out,
                          .width = s.part.depth,
                          .to_rows = s.part.rows,
                          .weight = w};
  });
  return scatter(plan, compact, {grad.size(0), in, grad.size(2), grad.size(3)});
}

// compact, grad of T -> float.
template <class T>
at::Tensor weight_gradient(const ConvPlan& plan, const at::Tensor& compact, const at::Tensor& grad,
                           std::int64_t in) {
  const std::int64_t out = grad.size(1), panels = panels_of(out);
  std::vector<std::int64_t> first{0};  // of each segment's packed input
  for (const ConvSegment& s : plan.segments)
    first.push_back(first.back() + conv_panels_size(s.part.rows, s.part.depth));
  at::Tensor packed = at::empty({first.back()}, at::kFloat),
             result = at::zeros({kConvTaps * in, out}, at::kFloat);
  float *pack = packed.mutable_data_ptr<float>(), *to = result.mutable_data_ptr<float>();
  const T *from = data_of<T>(compact), *g = data_of<T>(grad);
  const MaskedConvKernel<T> kernel = masked_conv_kernel<T>(chosen_isa());
  for_each_task(static_cast<std::int64_t>(plan.segments.size()), [&](std::int64_t i) {
    const ConvSegment& s = plan.segments[static_cast<std::size_t>(i)];
    kernel.pack(from + s.first_value, s.part.rows, s.part.depth, pack + first[static_cast<std::size_t>(i)]);
  });
  for_each_task(kConvTaps * panels, [&](std::int64_t task) {
    ConvWork work;
    for (std::size_t i = 0; i < plan.segments.size(); ++i) {
      const ConvSegment& s = plan.segments[i];
      kernel.weight_gradient({.pairs = s.pairs,
                              .panels = pack + first[i],
                              .rows = s.part.rows,
                              .depth = s.part.depth,
                              .channels = s.part.channels,
                              .grad_output = rows_of(g, s, out),
                              .width = out,
                              .grad = {to, out},
                              .channels_in = in},
                             static_cast<int>(task / panels), task % panels, work);
    }
  });
  return result.t().contiguous().view({out, 3, 3, in}).permute({0, 3, 1, 2});
}

// Calls work(T{}) with the type of the factors.
template <class Work>
auto with_type(at::ScalarType type, const Work& work) {
  return type == at::kBFloat16 ? work(Bf16{}) : work(float{});
}

// What a convolution of x multiplies: bfloat16 under autocast and for maps of bfloat16.
at::ScalarType factor_type(const at::Tensor& x) {
  return cpu_autocast() || x.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

// Whether the kernels here can do it.
bool fits_kernels(const at::Tensor& x, const at::Tensor& weight) {
  const auto known = [](const at::Tensor& t) {
    return t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16;
  };
  const bool meet = cpu_autocast() || x.scalar_type() == weight.scalar_type();
  return x.is_cpu() && x.numel() > 0 && known(x) && known(weight) && meet;
}

class MaskedConv : public torch::autograd::Function<MaskedConv> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& weight0, const at::Tensor& bias,
                            const c10::intrusive_ptr<PlanHolder>& holder, const MaskedConvOptions& options) {
    const at::ScalarType type = factor_type(x);
    const at::Tensor weight = channels_last(weight0.to(type)), transposed = inputs_first(weight),
                     map = channels_last(x.to(type));
    ctx->saved_data["plan"] = c10::IValue::make_capsule(holder);
    ctx->saved_data["x"] = x.scalar_type();
    ctx->saved_data["weight"] = weight0.scalar_type();
    return with_type(type, [&](auto factor) {
      using T = decltype(factor);
      const at::Tensor compact = gather<T>(holder->plan, map);
      const at::Tensor y = forward_cpu<T>(holder->plan, compact, transposed, bias,
                                          {x.size(0), weight.size(0), x.size(2), x.size(3)}, options);
      ctx->save_for_backward({compact, weight, transposed, options.relu ? y : at::Tensor()});
      return y;
    });
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &compact = saved[0], &weight = saved[1], &y = saved[3];
    const auto holder = c10::static_intrusive_pointer_cast<PlanHolder>(ctx->saved_data["plan"].toCapsule());
    const at::Tensor grad = channels_last(y.defined() ? at::threshold_backward(grads[0], y, 0) : grads[0]);
    const at::ScalarType x_type = ctx->saved_data["x"].toScalarType(),
                         weight_type = ctx->saved_data["weight"].toScalarType();
    return with_type(compact.scalar_type(), [&](auto factor) -> torch::autograd::variable_list {
      using T = decltype(factor);
      at::Tensor grad_x, grad_weight, grad_bias;
      if (ctx->needs_input_grad(0))
        grad_x = input_gradient<T>(holder->plan, grad, weight, saved[2]).to(x_type);
      if (ctx->needs_input_grad(1))
        grad_weight = weight_gradient<T>(holder->plan, compact, grad, weight.size(1)).to(weight_type);
      if (ctx->needs_input_grad(2))
        grad_bias = at::sum(grad, {0, 2, 3}, /*keepdim=*/false, at::kFloat).to(weight_type);
      return {grad_x, grad_weight, grad_bias, {}, {}};
    });
  }
};

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
    return with_type(x.scalar_type(), [&](auto factor) {
      // Where everything is visible, the map itself is the compact input.
      return weight_gradient<decltype(factor)>(plan_visible_positions(all, x.size(1)), x, grad, x.size(1));
    });
  }
};

void check(const at::Tensor& x, const at::Tensor& keep, const at::Tensor& weight, const at::Tensor& bias) {
  const bool fits = x.dim() == 4 && weight.dim() == 4 && weight.size(1) == x.size(1) && weight.size(2) == 3 &&
                    weight.size(3) == 3 && bias.dim() == 1 && bias.size(0) == weight.size(0);
  if (!fits)
    fail(ExitCode::internal,
         "masked_conv3x3: got x {}, weight {}, bias {}; expected (B, C, Y, X), (N, C, 3, 3), (N)",
         c10::str(x.sizes()), c10::str(weight.sizes()), c10::str(bias.sizes()));
  if (!keep.defined()) return;
  bool broadcasts = keep.dim() == 4 && keep.scalar_type() == at::kBool;
  for (std::int64_t d = 0; broadcasts && d < 4; ++d)
    broadcasts = keep.size(d) == 1 || keep.size(d) == x.size(d);
  if (!broadcasts)
    fail(ExitCode::internal, "masked_conv3x3: got keep {} {}, expected bool that broadcasts to {}",
         c10::toString(keep.scalar_type()), c10::str(keep.sizes()), c10::str(x.sizes()));
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
  if (!keep.defined() || options.skip == SkipHidden::never || !fits_kernels(x, weight)) return dense();

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

at::Tensor conv3x3(const at::Tensor& x, const at::Tensor& weight, Winograd winograd) {
  // From so many channels on our weight gradient takes 0.4 (2048 channels) to 1 (256 channels at 28 x 28) of
  // oneDNN's time, and on maps as small as this all passes do: a third of the taps at the border of 4 x 4 and
  // a fifth at that of 7 x 7 read nothing.
  constexpr std::int64_t kWide = 256, kSmallMap = 49;
  if (!fits_kernels(x, weight)) return at::conv2d(x, weight, {}, 1, 1);
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

bool skipping_pays(const ConvCase& c) {
  // A visible multiply-accumulate costs more than a dense one; where every sample has channels of its own,
  // their weights are copied for it, which costs as much as this many positions of its map.
  const double each = c.bf16 ? 1.2 : 1.1, positions_of_copy = c.bf16 ? 10 : 4;
  const auto area = static_cast<double>(c.height * c.width);
  const double copies = c.by_channel ? 1 + positions_of_copy / area : 1;
  return c.visible_frac * each * copies < 1;
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
