#include "mgd/nn/layers.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/nn/conv_padding.h"
#include "mgd/nn/init.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/conv3x3.h"
#include "mgd/ops/dense.h"
#include "mgd/ops/mixed_precision.h"

namespace mgd {

namespace {

struct Fans {
  std::int64_t in, out, groups = 1;
};

double default_bound(Fans fans) {
  return 1.0 / std::sqrt(static_cast<double>(fans.in));
}

at::Tensor initial_weight(at::IntArrayRef shape, Fans fans, RandomStream& random, Init init) {
  switch (init) {
    case Init::torch_default:
      return drawn_uniform(shape, random, default_bound(fans));
    case Init::kaiming_fan_out:
      return drawn_normal(shape, random, std::sqrt(2.0 / static_cast<double>(fans.out)));
    case Init::kaiming_fan_in:
      return drawn_normal(shape, random, std::sqrt(2.0 / static_cast<double>(fans.in)));
    case Init::kaiming_group:
      return drawn_normal(shape, random,
                          std::sqrt(2.0 * static_cast<double>(fans.groups) / static_cast<double>(fans.out)));
    case Init::uniform_fan_out:
      return drawn_uniform(shape, random, 1.0 / std::sqrt(static_cast<double>(fans.out)));
    case Init::normal_001:
      return drawn_normal(shape, random, 0.01);
    case Init::normal_002:
      return drawn_normal(shape, random, 0.02);
  }
  MGD_ASSERT(false);
  return {};
}

at::Tensor initial_bias(std::int64_t size, Fans fans, RandomStream& random, Init init) {
  if (init == Init::torch_default || init == Init::kaiming_fan_in)
    return drawn_uniform({size}, random, default_bound(fans));
  return at::zeros({size}, at::kFloat);
}

Fans conv_fans(const Conv2dOptions& options) {
  const bool fits = options.in > 0 && options.out > 0 && options.kernel > 0 && options.stride > 0 &&
                    options.padding >= 0 && options.groups > 0 && options.in % options.groups == 0 &&
                    options.out % options.groups == 0;
  if (!fits)
    fail(
        ExitCode::usage,
        "convolution: got in {}, out {}, kernel {}, stride {}, padding {}, groups {}; expected numbers above "
        "0 (a padding may be 0), in and out multiples of groups",
        options.in, options.out, options.kernel, options.stride, options.padding, options.groups);
  const std::int64_t area = options.kernel * options.kernel;
  return {options.in / options.groups * area, options.out * area, options.groups};
}

// oneDNN of LibTorch 2.13: the weight gradient of a 1x1 convolution with a stride, of fewer than 8 channels
// that lie last, writes beyond its buffers.
bool corrupts_memory(const Conv2dOptions& options) {
  constexpr std::int64_t kSafe = 16;
  return options.kernel == 1 && options.stride > 1 && options.padding == 0 &&
         options.in / options.groups < kSafe;
}

// What a 1x1 convolution with a stride reads: (B, C, Y, X) -> (B, C, ceil(Y / stride), ceil(X / stride)).
at::Tensor read_pixels(const at::Tensor& x, std::int64_t stride) {
  return x.slice(2, 0, std::nullopt, stride).slice(3, 0, std::nullopt, stride);
}

// One type on both sides outside autocast, which is the product's to choose within.
bool meets(const at::Tensor& x, const at::Tensor& weight) {
  return at::isFloatingType(x.scalar_type()) && x.device() == weight.device() &&
         (x.scalar_type() == weight.scalar_type() || in_autocast(x.device()));
}

// "float (B, 16, Y, X) on cpu"
std::string expected_of(const at::Tensor& weight, const std::string& shape) {
  return fmt::format("{} {} on {}", outline_of(weight).substr(0, outline_of(weight).find(' ')), shape,
                     weight.device().str());
}

std::int64_t checked(std::int64_t width) {
  if (width < 1) fail(ExitCode::usage, "linear layer: got a width of {}, expected 1 or more", width);
  return width;
}

}  // namespace

Conv2d::Conv2d(Conv2dOptions options, RandomStream& random, Init init)
    : options_(options),
      weight_(add_parameter(
          "weight",
          initial_weight({options.out, options.in / options.groups, options.kernel, options.kernel},
                         conv_fans(options), random, init),
          TensorKind::weight)) {
  if (options.bias)
    bias_ =
        &add_parameter("bias", initial_bias(options.out, conv_fans(options), random, init), TensorKind::bias);
}

void Conv2d::check_input(const at::Tensor& x) const {
  const Conv2dOptions& o = options_;
  const std::int64_t smallest = o.same ? 1 : std::max<std::int64_t>(1, o.kernel - 2 * o.padding);
  const bool fits = is_real(x, 4) && meets(x, weight_) && x.size(1) == o.in && x.size(2) >= smallest &&
                    x.size(3) >= smallest;
  if (!fits)
    refuse(path(), "input", x,
           expected_of(weight_, fmt::format("(B, {}, Y, X) with Y and X at least {}", o.in, smallest)));
}

at::Tensor Conv2d::forward(const at::Tensor& x, Forward& forward) {
  check_input(x);
  const std::optional<at::Tensor> bias = bias_ ? std::optional(*bias_) : std::nullopt;
  return forward.node(path(), convolve(x, weight_, bias, forward));
}

at::Tensor Conv2d::convolve(const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, Forward& forward) const {
  const bool ours = options_.is_plain_3x3() && !bias && (forward.winograd() || at::GradMode::is_enabled());
  const auto plain = [&] {
    if (corrupts_memory(options_) && at::GradMode::is_enabled())
      return at::conv2d(read_pixels(x, options_.stride), weight, bias, 1, options_.padding, 1,
                        options_.groups);
    const PaddedInput input = padded_input(x, options_);
    return at::conv2d(input.x, weight, bias, options_.stride, input.padding, 1, options_.groups);
  };
  at::Tensor y =
      ours ? conv3x3(x, weight, forward.winograd() ? Winograd::automatic : Winograd::never) : plain();
  forward.add_macs(y.numel() * conv_fans(options_).in);
  return y;
}

Linear::Linear(std::int64_t in, std::int64_t out, RandomStream& random, Init init)
    : weight_(add_parameter("weight", initial_weight({checked(out), checked(in)}, {in, out}, random, init),
                            TensorKind::weight)),
      bias_(&add_parameter("bias", initial_bias(out, {in, out}, random, init), TensorKind::bias)) {}

Linear::Linear(LinearOptions options, RandomStream& random)
    : weight_(add_parameter(
          "weight",
          options.in_first
              ? drawn_normal({checked(options.in), checked(options.out)}, random, options.deviation)
              : drawn_normal({checked(options.out), checked(options.in)}, random, options.deviation),
          TensorKind::weight)),
      in_first_(options.in_first) {
  if (options.bias) bias_ = &add_parameter("bias", at::zeros({options.out}, at::kFloat), TensorKind::bias);
}

at::Tensor Linear::forward(const at::Tensor& x, Forward& forward) {
  const std::int64_t in = weight_.size(in_first_ ? 0 : 1);
  if (!x.defined() || x.dim() == 0 || x.size(-1) != in || !meets(x, weight_))
    refuse(path(), "input", x, expected_of(weight_, fmt::format("(..., {})", in)));
  forward.tell_input(path(), x);
  at::Tensor y = linear(x, in_first_ ? weight_.t() : weight_, bias_ ? *bias_ : at::Tensor());
  forward.add_macs(y.numel() * x.size(-1));
  return forward.node(path(), std::move(y));
}

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p <= 1)) fail(ExitCode::usage, "dropout: got p {}, expected 0 to 1", p);
}

at::Tensor Dropout::forward(const at::Tensor& x, Forward& forward) {
  if (!forward.training() || frozen() || !forward.draws() || p_ == 0) return forward.node(path(), x);
  SampleRows rows{.offsets = {}, .ids = forward.draws()->sample_ids};
  for (std::size_t b = 0; b <= rows.ids.size(); ++b) rows.offsets.push_back(static_cast<std::int64_t>(b));
  return this->forward(x, rows, forward);
}

at::Tensor Dropout::forward(const at::Tensor& x, const SampleRows& rows, Forward& forward) {
  if (!forward.training() || frozen() || !forward.draws() || p_ == 0) return forward.node(path(), x);
  const ForwardDraws& draws = *forward.draws();
  const auto batch = static_cast<std::int64_t>(rows.ids.size());
  if (x.dim() == 0 || rows.offsets.size() != rows.ids.size() + 1 || x.size(0) != rows.offsets.back())
    refuse(path(), "input", x, fmt::format("the rows of {} samples", rows.ids.size()));
  const std::int64_t width = x.size(0) > 0 ? x.numel() / x.size(0) : 0;
  const PhiloxKey key = random_key(draws.seed, "dropout/" + path());
  // 64 bits: the threshold of p = 1 is 2^32, which every word is below.
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(p_, 32));
  const float scale = p_ < 1 ? static_cast<float>(1 / (1 - p_)) : 0.0F;
  at::Tensor factor = at::empty(x.sizes(), at::kFloat);
  float* data = factor.mutable_data_ptr<float>();
  at::parallel_for(0, batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const auto s = static_cast<std::size_t>(b);
      RandomStream stream(key, draws.step, static_cast<std::uint64_t>(rows.ids[s]));
      for (float* value = data + rows.offsets[s] * width; value != data + rows.offsets[s + 1] * width;
           ++value)
        *value = stream.next_u32() >= threshold ? scale : 0.0F;
    }
  });
  return forward.node(path(), x.mul(factor.to(x.options())));
}

Linear* as_linear(Module* module) {
  return dynamic_cast<Linear*>(module);
}

Dropout* as_dropout(Module* module) {
  return dynamic_cast<Dropout*>(module);
}

}  // namespace mgd
