#include "mgd/ops/batch_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/kernels/batch_norm.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

constexpr at::MemoryFormat kLayout = at::MemoryFormat::ChannelsLast;

// A map (B, C, Y, X) as the kernels see it, cut into pieces that are whole periods.
struct Layout {
  explicit Layout(const at::Tensor& map) : count(map.numel()), channels(map.size(1)) {
    // Four vectors of columns at once are the fastest, unless that makes the arrays of columns long.
    std::int64_t multiple = 4 * kNormColumns;
    while (multiple > kNormColumns && std::lcm(channels, multiple) > 4096) multiple /= 2;
    period = std::lcm(channels, multiple);
    piece = std::max(kNormElements / period, std::int64_t{1}) * period;
  }
  std::int64_t pieces() const { return (count + piece - 1) / piece; }
  std::int64_t values() const { return count / channels; }  // of a channel

  std::int64_t count, channels, period = 0, piece = 0;
};

// body(index of the piece, its first element, how many).
template <class Body>
void each_piece(const Layout& layout, const Body& body) {
  at::parallel_for(0, layout.pieces(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      const std::int64_t first = begin * layout.piece;
      body(begin, first, std::min(layout.piece, layout.count - first));
    }
  });
}

// Two sums over each channel: float within a piece, double and in a fixed order over the pieces.
class ChannelSums {
 public:
  explicit ChannelSums(const Layout& layout)
      : layout_(layout), columns_(static_cast<std::size_t>(2 * layout.pieces() * layout.period)) {}
  float* first(std::int64_t piece) { return columns_.data() + 2 * piece * layout_.period; }
  float* second(std::int64_t piece) { return first(piece) + layout_.period; }

  std::vector<double> total(std::int64_t which) const {
    std::vector<double> sums(static_cast<std::size_t>(layout_.channels));
    for (std::int64_t p = 0; p < layout_.pieces(); ++p) {
      const float* columns = columns_.data() + (2 * p + which) * layout_.period;
      for (std::int64_t c = 0; c < layout_.period; ++c)
        sums[static_cast<std::size_t>(c % layout_.channels)] += static_cast<double>(columns[c]);
    }
    return sums;
  }

 private:
  const Layout& layout_;
  std::vector<float> columns_;
};

// (C) repeated to a whole period.
std::vector<float> repeated(const at::Tensor& values, const Layout& layout) {
  std::vector<float> columns(static_cast<std::size_t>(layout.period));
  const float* from = values.const_data_ptr<float>();
  for (std::int64_t c = 0; c < layout.period; c += layout.channels)
    std::copy_n(from, layout.channels, columns.begin() + c);
  return columns;
}

at::Tensor per_channel(const std::vector<double>& values, const at::TensorOptions& options) {
  at::Tensor tensor = at::empty({static_cast<std::int64_t>(values.size())}, options);
  std::transform(values.begin(), values.end(), tensor.mutable_data_ptr<float>(),
                 [](double value) { return static_cast<float>(value); });
  return tensor;
}

struct Statistics {
  at::Tensor mean, variance;  // (C), biased
  at::Tensor inverse;         // (C), 1 / sqrt(variance + eps)
};

Statistics statistics_of(const at::Tensor& x, double eps) {
  const Layout layout(x);
  const float* data = x.const_data_ptr<float>();
  // The mean of some: near the mean of all, even where a single value is far from the others.
  const std::int64_t step = std::max<std::int64_t>(1, layout.values() / 64);
  const at::Tensor rows = x.permute({0, 2, 3, 1}).reshape({layout.values(), layout.channels});
  const at::Tensor pivot = rows.slice(0, 0, std::nullopt, step).mean(0);
  const auto pivots = repeated(pivot, layout);
  ChannelSums sums(layout);
  const BatchNormKernel kernel = batch_norm_kernel(chosen_isa());
  each_piece(layout, [&](std::int64_t piece, std::int64_t first, std::int64_t count) {
    kernel.moments(data + first, count, layout.period, pivots.data(), sums.first(piece), sums.second(piece));
  });
  std::vector<double> mean = sums.total(0), variance = sums.total(1), inverse(mean.size());
  const auto values = static_cast<double>(layout.values());
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double off = mean[c] / values;  // of the mean from the pivot
    // std::max would turn NaN into 0.
    const double spread = variance[c] / values - off * off;
    variance[c] = spread < 0 ? 0 : spread;
    mean[c] = static_cast<double>(pivots[c]) + off;
    inverse[c] = 1 / std::sqrt(variance[c] + eps);
  }
  return {.mean = per_channel(mean, x.options()),
          .variance = per_channel(variance, x.options()),
          .inverse = per_channel(inverse, x.options())};
}

// The arrays that NormColumns points to.
struct Columns {
  Columns(const at::Tensor& mean, const at::Tensor& scale, const at::Tensor& bias, const Layout& layout)
      : mean_(repeated(mean, layout)), scale_(repeated(scale, layout)), bias_(repeated(bias, layout)) {
    view = {layout.period, mean_.data(), scale_.data(), bias_.data()};
  }
  NormColumns view;

 private:
  std::vector<float> mean_, scale_, bias_;
};

NormClamp clamp_of(const ActivationLimits& limits) {
  return {static_cast<float>(limits.low), static_cast<float>(limits.high)};
}

class FusedBatchNorm : public torch::autograd::Function<FusedBatchNorm> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const std::optional<at::Tensor>& shortcut, const Statistics& statistics,
                            const ActivationLimits& limits) {
    const Layout layout(x);
    const at::Tensor scale = weight * statistics.inverse;
    const Columns columns(statistics.mean, scale, bias, layout);
    at::Tensor y = at::empty_like(x, x.options().memory_format(kLayout));
    const float* from = x.const_data_ptr<float>();
    const float* beside = shortcut ? shortcut->const_data_ptr<float>() : nullptr;
    float* to = y.mutable_data_ptr<float>();
    const BatchNormKernel kernel = batch_norm_kernel(chosen_isa());
    each_piece(layout, [&](std::int64_t, std::int64_t first, std::int64_t count) {
      kernel.apply(from + first, beside != nullptr ? beside + first : nullptr, count, columns.view,
                   clamp_of(limits), to + first);
    });
    ctx->save_for_backward(
        {x, bias, statistics.mean, scale, statistics.inverse, shortcut ? y : at::Tensor()});
    ctx->saved_data["low"] = limits.low;
    ctx->saved_data["high"] = limits.high;
    return y;
  }

  // With d = x - mean, s = 1 / sqrt(var + eps) and g what reaches z, over the n values of a channel:
  //   to_bias = sum g, to_weight = s sum(g d), to_x = scale (g - sum g / n - d s^2 sum(g d) / n).
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &bias = saved[1], &mean = saved[2], &scale = saved[3], &y = saved[5];
    const Layout layout(x);
    const Columns columns(mean, scale, bias, layout);
    const NormClamp clamp = clamp_of({ctx->saved_data["low"].toDouble(), ctx->saved_data["high"].toDouble()});
    const at::Tensor grad = grads[0].contiguous(kLayout);
    const auto empty_map = [&] { return at::empty_like(x, x.options().memory_format(kLayout)); };
    const NormGrad whole{x.const_data_ptr<float>(), grad.const_data_ptr<float>(),
                         y.defined() ? y.const_data_ptr<float>() : nullptr};
    const auto from = [&](std::int64_t first) {
      return NormGrad{whole.x + first, whole.grad + first, whole.y != nullptr ? whole.y + first : nullptr};
    };

    const at::Tensor to_shortcut = y.defined() ? empty_map() : at::Tensor();
    float* beside = y.defined() ? to_shortcut.mutable_data_ptr<float>() : nullptr;
    const BatchNormKernel kernel = batch_norm_kernel(chosen_isa());
    ChannelSums sums(layout);
    each_piece(layout, [&](std::int64_t piece, std::int64_t first, std::int64_t count) {
      kernel.grad_sums(from(first), count, columns.view, clamp, sums.first(piece), sums.second(piece),
                       beside != nullptr ? beside + first : nullptr);
    });
    const std::vector<double> grad_sum = sums.total(0), product_sum = sums.total(1);
    const auto at_channel = [](const at::Tensor& t, std::size_t c) {
      return static_cast<double>(t.const_data_ptr<float>()[c]);
    };
    const auto values = static_cast<double>(layout.values());
    std::vector<double> to_weight(grad_sum.size()), slope(grad_sum.size()), offset(grad_sum.size());
    for (std::size_t c = 0; c < grad_sum.size(); ++c) {
      const double inverse = at_channel(saved[4], c), factor = at_channel(scale, c) / values;
      to_weight[c] = inverse * product_sum[c];
      slope[c] = -factor * inverse * inverse * product_sum[c];
      offset[c] = -factor * grad_sum[c];
    }
    const auto slopes = repeated(per_channel(slope, x.options()), layout),
               offsets = repeated(per_channel(offset, x.options()), layout);
    const at::Tensor to_x = empty_map();
    float* to = to_x.mutable_data_ptr<float>();
    each_piece(layout, [&](std::int64_t, std::int64_t first, std::int64_t count) {
      // The first pass has written what reaches z, if anybody else wants it.
      NormGrad piece = from(first);
      NormClamp limits = clamp;
      if (beside != nullptr) {
        piece = {piece.x, beside + first, nullptr};
        limits = clamp_of({});
      }
      kernel.input_grad(piece, count, columns.view, limits, slopes.data(), offsets.data(), to + first);
    });
    return {to_x, per_channel(to_weight, x.options()), per_channel(grad_sum, x.options()), to_shortcut, {},
            {}};
  }
};

bool is_plain(const at::Tensor& map) {
  return map.is_cpu() && map.scalar_type() == at::kFloat && map.dim() == 4 && map.numel() > 0 &&
         map.is_contiguous(kLayout);
}

// A shortcut of another shape would broadcast, and the sum would be somebody else's.
void check_shortcut(const at::Tensor& map, const at::Tensor& shortcut) {
  if (!map.defined() || (shortcut.defined() && shortcut.sizes() != map.sizes()))
    fail(ExitCode::usage, "batch norm: got a map {} and a shortcut {}, expected the same shape",
         outline_of(map), outline_of(shortcut));
}

at::Tensor one_by_one(const at::Tensor& x, const BatchNormTensors& norm, const at::Tensor& shortcut,
                      const BatchNormOptions& options) {
  const at::Tensor y =
      at::batch_norm(x, norm.weight, norm.bias, norm.running_mean, norm.running_var,
                     /*training=*/true, options.momentum, options.eps, /*cudnn_enabled=*/true);
  return finish_norm(y, shortcut, options.limits);
}

bool fits(const at::Tensor& map, const at::Tensor& shortcut) {
  return is_plain(map) && (!shortcut.defined() || (is_plain(shortcut) && shortcut.sizes() == map.sizes()));
}

}  // namespace

at::Tensor batch_norm_in_training(const at::Tensor& x, const BatchNormTensors& norm,
                                  const at::Tensor& shortcut, const BatchNormOptions& options) {
  const bool map = is_real(x, 4) && x.size(1) > 0 && x.numel() / x.size(1) >= 2;
  for (const at::Tensor* t : {&norm.weight, &norm.bias, &norm.running_mean, &norm.running_var})
    if (!map || !is_real(*t, 1) || t->size(0) != x.size(1))
      fail(ExitCode::usage,
           "batch norm: got x {} with weights and statistics {}; expected (B, C, Y, X) of two values a "
           "channel "
           "or more, and (C)",
           outline_of(x), outline_of(*t));
  check_shortcut(x, shortcut);
  if (!fits(x, shortcut)) return one_by_one(x, norm, shortcut, options);
  const at::Tensor weight = norm.weight.contiguous(), bias = norm.bias.contiguous();
  const Statistics statistics = statistics_of(x.detach(), options.eps);
  const auto values = static_cast<double>(x.numel() / x.size(1));
  at::Tensor running_mean = norm.running_mean, running_var = norm.running_var;
  running_mean.mul_(1 - options.momentum).add_(statistics.mean, options.momentum);
  running_var.mul_(1 - options.momentum).add_(statistics.variance, options.momentum * values / (values - 1));
  return FusedBatchNorm::apply(x, weight, bias, shortcut.defined() ? std::optional(shortcut) : std::nullopt,
                               statistics, options.limits);
}

at::Tensor finish_norm(const at::Tensor& y, const at::Tensor& shortcut, const ActivationLimits& limits) {
  check_shortcut(y, shortcut);
  const at::Tensor sum = shortcut.defined() ? y + shortcut : y;
  if (limits.none()) return sum;
  return limits.low == 0 && !std::isfinite(limits.high) ? at::relu(sum)
                                                        : at::hardtanh(sum, limits.low, limits.high);
}

at::Tensor finish_norm_(at::Tensor y, const at::Tensor& shortcut, const ActivationLimits& limits) {
  check_shortcut(y, shortcut);
  if (limits.none() && !shortcut.defined()) return y;
  if (!fits(y, shortcut)) return finish_norm(y, shortcut, limits);
  const Layout layout(y);
  const std::vector<float> zeros(static_cast<std::size_t>(layout.period)), ones(zeros.size(), 1.0F);
  const NormColumns columns{layout.period, zeros.data(), ones.data(), zeros.data()};
  const float* beside = shortcut.defined() ? shortcut.const_data_ptr<float>() : nullptr;
  float* data = y.mutable_data_ptr<float>();
  const BatchNormKernel kernel = batch_norm_kernel(chosen_isa());
  each_piece(layout, [&](std::int64_t, std::int64_t first, std::int64_t count) {
    kernel.apply(data + first, beside != nullptr ? beside + first : nullptr, count, columns, clamp_of(limits),
                 data + first);
  });
  return y;
}

}  // namespace mgd
