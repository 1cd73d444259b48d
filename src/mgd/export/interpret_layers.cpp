// Convolutions, pools, norms and products.
#include <ATen/TensorOperators.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/adaptive_max_pool2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max_pool2d.h>

#include <limits>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/export/interpret.h"

namespace mgd {

namespace {

using Ints = std::vector<std::int64_t>;
using Values = std::vector<at::Tensor>;

std::optional<at::Tensor> optional_at(const Values& in, std::size_t i) {
  return i < in.size() && in[i].defined() ? std::optional(in[i]) : std::nullopt;
}

bool symmetric(const Ints& pads) {
  return pads[0] == pads[2] && pads[1] == pads[3];
}

// ONNX's order: above, left, below, right.
at::Tensor padded(const at::Tensor& x, const Ints& pads, double value) {
  return at::constant_pad_nd(x, {pads[1], pads[3], pads[0], pads[2]}, value);
}

Values conv(const OnnxNode& node, const Values& in) {
  const Ints pads = attribute(node, "pads", Ints{0, 0, 0, 0});
  const bool plain = symmetric(pads);
  return {at::conv2d(plain ? in[0] : padded(in[0], pads, 0), in[1], optional_at(in, 2),
                     attribute(node, "strides", Ints{1, 1}), plain ? Ints{pads[0], pads[1]} : Ints{0, 0},
                     attribute(node, "dilations", Ints{1, 1}), attribute(node, "group", std::int64_t{1}))};
}

Values batch_norm(const OnnxNode& node, const Values& in) {
  return {at::batch_norm(in[0], in[1], in[2], in[3], in[4], false, 0.1, attribute(node, "epsilon", 1e-5F),
                         false)};
}

Values layer_norm(const OnnxNode& node, const Values& in) {
  return {at::layer_norm(in[0], in[1].sizes(), in[1], optional_at(in, 2), attribute(node, "epsilon", 1e-5F))};
}

Values gemm(const OnnxNode& node, const Values& in) {
  const at::Tensor b = attribute(node, "transB", std::int64_t{0}) != 0 ? in[1].t() : in[1];
  at::Tensor y = at::matmul(in[0], b) * attribute(node, "alpha", 1.0F);
  if (const auto bias = optional_at(in, 2)) y = y + *bias * attribute(node, "beta", 1.0F);
  return {y};
}

Values matmul(const OnnxNode&, const Values& in) {
  return {at::matmul(in[0], in[1])};
}

Values max_pool(const OnnxNode& node, const Values& in) {
  const Ints kernel = attribute(node, "kernel_shape", Ints{}),
             pads = attribute(node, "pads", Ints{0, 0, 0, 0});
  MGD_ASSERT(symmetric(pads));
  return {at::max_pool2d(in[0], kernel, attribute(node, "strides", Ints{1, 1}), {pads[0], pads[1]},
                         attribute(node, "dilations", Ints{1, 1}),
                         attribute(node, "ceil_mode", std::int64_t{0}) != 0)};
}

Values avg_pool(const OnnxNode& node, const Values& in) {
  const Ints kernel = attribute(node, "kernel_shape", Ints{}),
             pads = attribute(node, "pads", Ints{0, 0, 0, 0});
  MGD_ASSERT(symmetric(pads));
  return {at::avg_pool2d(in[0], kernel, attribute(node, "strides", Ints{1, 1}), {pads[0], pads[1]},
                         attribute(node, "ceil_mode", std::int64_t{0}) != 0,
                         attribute(node, "count_include_pad", std::int64_t{0}) != 0)};
}

Values global_avg_pool(const OnnxNode&, const Values& in) {
  return {at::adaptive_avg_pool2d(in[0], {1, 1})};
}

Values global_max_pool(const OnnxNode&, const Values& in) {
  return {std::get<0>(at::adaptive_max_pool2d(in[0], {1, 1}))};
}

constexpr NodeReader kReaders[] = {{"Conv", conv},
                                   {"BatchNormalization", batch_norm},
                                   {"LayerNormalization", layer_norm},
                                   {"Gemm", gemm},
                                   {"MatMul", matmul},
                                   {"MaxPool", max_pool},
                                   {"AveragePool", avg_pool},
                                   {"GlobalAveragePool", global_avg_pool},
                                   {"GlobalMaxPool", global_max_pool}};

}  // namespace

std::span<const NodeReader> layer_readers() {
  return kReaders;
}

}  // namespace mgd
