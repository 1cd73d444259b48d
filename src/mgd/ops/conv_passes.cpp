#include "mgd/ops/conv_passes.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "mgd/ops/mixed_precision.h"

namespace mgd {

namespace {

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

// Rows of a channels-last map, from the segment's first position on.
template <class T>
Rows<T> rows_of(T* map, const ConvSegment& s, std::int64_t channels) {
  return {map + s.first_position * channels, channels};
}

// Calls work(T{}) with the type of the factors.
template <class Work>
auto with_type(at::ScalarType type, const Work& work) {
  return type == at::kBFloat16 ? work(Bf16{}) : work(float{});
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

template <class T>
at::Tensor convolve(const ConvPlan& plan, const at::Tensor& compact, const ConvWeights& weights,
                    const at::Tensor& bias, at::IntArrayRef shape, bool relu, std::int64_t* macs) {
  const std::int64_t in = weights.weight.size(1), out = weights.weight.size(0);
  at::Tensor y =
      at::empty(shape, at::TensorOptions(kTypeOf<T>).memory_format(at::MemoryFormat::ChannelsLast));
  const at::Tensor start = bias.to(at::kFloat).contiguous();
  const T* from = data_of<T>(compact);
  T* to = static_cast<T*>(y.mutable_data_ptr());
  const ConvWeight<T> weight = weights.transposed.defined()
                                   ? ConvWeight<T>{data_of<T>(weights.transposed), in * out, out, 1}
                                   : ConvWeight<T>{data_of<T>(weights.weight), in, 1, kConvTaps * in};
  const std::int64_t done = run_products<T>(plan, [&](const ConvSegment& s) {
    ConvProduct<T> product{.begin = s.pairs.begin,
                           .from_row = s.pairs.input,
                           .to_row = s.pairs.output,
                           .from = {from + s.first_value, s.part.depth},
                           .depth = s.part.depth,
                           .width = out,
                           .to_rows = s.num_positions,
                           .weight = weight,
                           .start = start.const_data_ptr<float>(),
                           .relu = relu};
    product.weight.k_index = s.part.channels;
    if constexpr (std::is_same_v<T, Bf16>)
      product.rounded = rows_of(to, s, out);
    else
      product.to = rows_of(to, s, out);
    return product;
  });
  if (macs != nullptr) *macs += done;
  return y;
}

template <class T>
at::Tensor input_gradient(const ConvPlan& plan, const at::Tensor& grad, const ConvWeights& weights) {
  const std::int64_t in = weights.weight.size(1), out = weights.weight.size(0);
  at::Tensor compact = at::empty({plan.num_values}, at::kFloat);
  const T* from = data_of<T>(grad);
  // A mask of channels chooses columns, which lie side by side in one of the two only.
  const ConvWeight<T> weight = plan.by_channel
                                   ? ConvWeight<T>{data_of<T>(weights.transposed), in * out, 1, out}
                                   : ConvWeight<T>{data_of<T>(weights.weight), in, kConvTaps * in, 1};
  float* to = compact.mutable_data_ptr<float>();
  run_products<T>(plan, [&](const ConvSegment& s) {
    ConvProduct<T> product{.begin = s.pairs.begin,
                           .from_row = s.pairs.output,
                           .to_row = s.pairs.input,
                           .from = rows_of(from, s, out),
                           .to = {to + s.first_value, s.part.depth},
                           .depth = out,
                           .width = s.part.depth,
                           .to_rows = s.part.rows,
                           .weight = weight};
    product.weight.j_index = s.part.channels;
    return product;
  });
  if (plan.hides_nothing())
    return compact.view({grad.size(0), grad.size(2), grad.size(3), in}).permute({0, 3, 1, 2});
  return scatter(plan, compact, {grad.size(0), in, grad.size(2), grad.size(3)});
}

// Adds up `make(segment)`, a ConvWeightGradient<T> without panels, whose input is `input(segment)`, over
// all segments.
template <class T, class Input, class Make>
void run_weight_gradient(const ConvPlan& plan, const Input& input, const Make& make) {
  const MaskedConvKernel<T> kernel = masked_conv_kernel<T>(chosen_isa());
  std::vector<ConvWeightGradient<T>> parts;
  std::vector<std::int64_t> first{0};  // of each segment's packed input
  for (const ConvSegment& s : plan.segments) {
    parts.push_back(make(s));
    first.push_back(first.back() + conv_panels_size(parts.back().rows, parts.back().depth));
  }
  at::Tensor packed = at::empty({first.back()}, at::kFloat);
  float* pack = packed.mutable_data_ptr<float>();
  for_each_task(static_cast<std::int64_t>(parts.size()), [&](std::int64_t i) {
    const auto place = static_cast<std::size_t>(i);
    ConvWeightGradient<T>& part = parts[place];
    kernel.pack(input(plan.segments[place]), part.rows, part.depth, pack + first[place]);
    part.panels = pack + first[place];
  });
  const std::int64_t panels = parts.empty() ? 0 : panels_of(parts.front().width);
  for_each_task(kConvTaps * panels, [&](std::int64_t task) {
    ConvWork work;
    for (const ConvWeightGradient<T>& part : parts)
      kernel.weight_gradient(part, static_cast<int>(task / panels), task % panels, work);
  });
}

template <class T>
at::Tensor weight_gradient(const ConvPlan& plan, const at::Tensor& compact, const at::Tensor& grad,
                           std::int64_t in) {
  const std::int64_t out = grad.size(1);
  at::Tensor result = at::zeros({kConvTaps * in * out}, at::kFloat);
  float* to = result.mutable_data_ptr<float>();
  const T *from = data_of<T>(compact), *g = data_of<T>(grad);
  const auto input = [&](const ConvSegment& s) { return from + s.first_value; };
  if (plan.hides_nothing()) {
    // Either map may be the one that is packed, and with the other one the sums lie in the weight's order.
    run_weight_gradient<T>(
        plan, [&](const ConvSegment& s) { return rows_of(g, s, out).data; },
        [&](const ConvSegment& s) {
          return ConvWeightGradient<T>{.pairs = {s.pairs.output, s.pairs.input, s.pairs.begin},
                                       .rows = s.num_positions,
                                       .depth = out,
                                       .grad_output = {input(s), in},
                                       .width = in,
                                       .grad = {to, in},
                                       .tap_rows = 1,
                                       .channel_rows = kConvTaps};
        });
    return result.view({out, 3, 3, in}).permute({0, 3, 1, 2});
  }
  run_weight_gradient<T>(plan, input, [&](const ConvSegment& s) {
    return ConvWeightGradient<T>{.pairs = s.pairs,
                                 .rows = s.part.rows,
                                 .depth = s.part.depth,
                                 .channels = s.part.channels,
                                 .grad_output = rows_of(g, s, out),
                                 .width = out,
                                 .grad = {to, out},
                                 .tap_rows = in};
  });
  return result.view({kConvTaps * in, out}).t().contiguous().view({out, 3, 3, in}).permute({0, 3, 1, 2});
}

}  // namespace

at::ScalarType factor_type(const at::Tensor& x) {
  return cpu_autocast() || x.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

bool fits_conv_passes(const at::Tensor& x, const at::Tensor& weight) {
  const auto known = [](const at::Tensor& t) {
    return t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16;
  };
  const bool meet = cpu_autocast() || x.scalar_type() == weight.scalar_type();
  return x.is_cpu() && x.numel() > 0 && known(x) && known(weight) && meet;
}

at::Tensor channels_last(const at::Tensor& map) {
  return map.contiguous(at::MemoryFormat::ChannelsLast);
}

ConvWeights conv_weights(const ConvPlan& plan, const at::Tensor& weight) {
  // A kernel can transpose the pieces that it takes; when there are more segments than this, it is faster to
  // do it once for all of them.
  constexpr std::size_t kFewSegments = 4;
  ConvWeights weights{.weight = channels_last(weight), .transposed = {}};
  if (plan.by_channel || plan.segments.size() > kFewSegments)
    weights.transposed = weights.weight.permute({0, 2, 3, 1})
                             .reshape({weight.size(0), -1})
                             .t()
                             .contiguous()
                             .view({kConvTaps, weight.size(1), weight.size(0)});
  return weights;
}

at::Tensor gather_visible(const ConvPlan& plan, const at::Tensor& x) {
  const at::Tensor map = channels_last(x);
  if (plan.hides_nothing()) return map;
  return with_type(x.scalar_type(), [&](auto factor) { return gather<decltype(factor)>(plan, map); });
}

at::Tensor convolve_visible(const ConvPlan& plan, const at::Tensor& compact, const ConvWeights& weights,
                            const at::Tensor& bias, at::IntArrayRef shape, bool relu, std::int64_t* macs) {
  return with_type(compact.scalar_type(), [&](auto factor) {
    return convolve<decltype(factor)>(plan, compact, weights, bias, shape, relu, macs);
  });
}

at::Tensor visible_input_gradient(const ConvPlan& plan, const at::Tensor& grad, const ConvWeights& weights) {
  return with_type(grad.scalar_type(),
                   [&](auto factor) { return input_gradient<decltype(factor)>(plan, grad, weights); });
}

at::Tensor visible_weight_gradient(const ConvPlan& plan, const at::Tensor& compact, const at::Tensor& grad,
                                   std::int64_t in) {
  return with_type(grad.scalar_type(),
                   [&](auto factor) { return weight_gradient<decltype(factor)>(plan, compact, grad, in); });
}

}  // namespace mgd
