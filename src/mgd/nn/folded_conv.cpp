#include "mgd/nn/folded_conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/rsqrt.h>

#include <optional>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/nn/conv_padding.h"
#include "mgd/nn/layers.h"
#include "mgd/ops/conv3x3.h"
#include "mgd/ops/mixed_precision.h"
#include "mgd/ops/winograd.h"

namespace mgd {

namespace {

// These two have no C++ header: they are called by name, and missing in builds without oneDNN.
struct Operators {
  std::optional<c10::OperatorHandle> reorder, convolve;
  static const Operators& get() {
    const auto find = [](const char* name) { return c10::Dispatcher::singleton().findSchema({name, ""}); };
    static const Operators one{find("mkldnn::_reorder_convolution_weight"),
                               find("mkldnn::_convolution_pointwise")};
    return one;
  }
};

at::Tensor call(const c10::OperatorHandle& op, torch::jit::Stack stack) {
  op.callBoxed(&stack);
  return stack.at(0).toTensor();
}

std::vector<std::int64_t> twice(std::int64_t value) {
  return {value, value};
}

// What oneDNN asks of a processor before it packs weights in bfloat16; others compute that type unpacked.
bool packs_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

bool can_pack(const at::Tensor& x) {
  const auto type = x.scalar_type();
  return Operators::get().reorder && Operators::get().convolve && x.is_cpu() &&
         (type == at::kFloat || (type == at::kBFloat16 && packs_bf16()));
}

// Version counters only grow, so their sum tells any change.
std::int64_t versions_of(const FoldSources& s) {
  std::int64_t sum = s.conv_bias != nullptr ? s.conv_bias->_version() : 0;
  for (const at::Tensor* t : {&s.conv_weight, &s.norm_weight, &s.norm_bias, &s.running_mean, &s.running_var,
                              &s.num_batches_tracked})
    sum += t->_version();
  return sum;
}

}  // namespace

Folded folded(const FoldSources& s) {
  const at::Tensor scale = s.norm_weight * at::rsqrt(s.running_var + s.eps);
  at::Tensor shift = s.norm_bias - s.running_mean * scale;
  if (s.conv_bias != nullptr) shift = shift + *s.conv_bias * scale;
  return {.weight = s.conv_weight * scale.view({-1, 1, 1, 1}), .shift = shift};
}

FoldedConv::Form FoldedConv::form_of(const at::Tensor& input, const Conv2dOptions& o, bool winograd) {
  const ConvCase c{input.size(0), input.size(2), input.size(3), o.in, o.out};
  if (winograd && o.is_plain_3x3() && input.is_cpu() && input.scalar_type() == at::kFloat &&
      winograd_pays(c, /*filter_kept=*/true))
    return Form::winograd;
  return can_pack(input) ? Form::packed : Form::plain;
}

FoldedConv::Kept FoldedConv::kept_for(const Mark& mark, const FoldSources& sources, const Conv2dOptions& o,
                                      const PaddedInput& input) {
  const std::lock_guard lock(mutex_);
  if (kept_.mark == mark) return kept_;
  const Folded fresh = folded(sources);
  Kept made{.mark = mark, .weight = fresh.weight.to(mark.type), .shift = fresh.shift.to(mark.type)};
  if (mark.form == Form::packed)
    made.weight = call(*Operators::get().reorder, {made.weight, input.padding_vector(), twice(o.stride),
                                                   twice(1), o.groups, input.x.sizes().vec()});
  if (mark.form == Form::winograd) made.weight = winograd_filter(made.weight);
  return kept_ = made;
}

at::Tensor FoldedConv::run(const at::Tensor& x, const FoldSources& sources, const Conv2dOptions& o,
                           bool winograd) {
  const PaddedInput input = padded_input(x.is_cpu() && cpu_autocast() ? x.to(at::kBFloat16) : x, o);
  const Form form = form_of(input.x, o, winograd);
  const Kept kept = kept_for({.versions = versions_of(sources),
                              .data = sources.conv_weight.const_data_ptr(),
                              .type = input.x.scalar_type(),
                              .form = form},
                             sources, o, input);
  switch (form) {
    case Form::plain:
      return at::conv2d(input.x, kept.weight, kept.shift, o.stride, input.padding, 1, o.groups);
    case Form::packed:
      // "none": oneDNN's fused relu turns NaN into 0, and a broken teacher must be seen.
      return call(*Operators::get().convolve,
                  {input.x, kept.weight, kept.shift, input.padding_vector(), twice(o.stride), twice(1),
                   o.groups, "none", c10::List<std::optional<c10::Scalar>>(), c10::IValue()});
    case Form::winograd:
      return winograd_conv_with(input.x.contiguous(at::MemoryFormat::ChannelsLast), kept.weight, o.out)
          .add_(kept.shift.view({1, -1, 1, 1}));
  }
  MGD_ASSERT(false);
  return {};
}

}  // namespace mgd
