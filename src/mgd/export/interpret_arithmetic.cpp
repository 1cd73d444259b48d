// Number by number, and reductions.
#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/round.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>

#include "mgd/core/error.h"
#include "mgd/export/interpret.h"

namespace mgd {

namespace {

using Ints = std::vector<std::int64_t>;
using Values = std::vector<at::Tensor>;

struct Unary {
  const char* op;
  at::Tensor (at::Tensor::*run)() const;
};
constexpr Unary kUnary[] = {{"Relu", &at::Tensor::relu},   {"Sigmoid", &at::Tensor::sigmoid},
                            {"Tanh", &at::Tensor::tanh},   {"Erf", &at::Tensor::erf},
                            {"Exp", &at::Tensor::exp},     {"Sqrt", &at::Tensor::sqrt},
                            {"Neg", &at::Tensor::neg},     {"Abs", &at::Tensor::abs},
                            {"Log", &at::Tensor::log},     {"Reciprocal", &at::Tensor::reciprocal},
                            {"Floor", &at::Tensor::floor}, {"Ceil", &at::Tensor::ceil}};

Values unary(const OnnxNode& node, const Values& in) {
  for (const Unary& entry : kUnary)
    if (node.op == entry.op) return {(in[0].*entry.run)()};
  MGD_ASSERT(false);
  return {};
}

Values hard_sigmoid(const OnnxNode& node, const Values& in) {
  return {(in[0] * attribute(node, "alpha", 0.2F) + attribute(node, "beta", 0.5F)).clamp(0, 1)};
}

Values hard_swish(const OnnxNode&, const Values& in) {
  return {in[0] * (in[0] / 6 + 0.5).clamp(0, 1)};
}

Values clip(const OnnxNode&, const Values& in) {
  at::Tensor y = in[0];
  if (in.size() > 1 && in[1].defined()) y = y.clamp_min(in[1].item());
  if (in.size() > 2 && in[2].defined()) y = y.clamp_max(in[2].item());
  return {y};
}

Values binary(const OnnxNode& node, const Values& in) {
  if (node.op == "Add") return {in[0] + in[1]};
  if (node.op == "Sub") return {in[0] - in[1]};
  if (node.op == "Mul") return {in[0] * in[1]};
  if (node.op == "Div") return {in[0] / in[1]};
  return {at::pow(in[0], in[1])};
}

Values softmax(const OnnxNode& node, const Values& in) {
  return {at::softmax(in[0], attribute(node, "axis", std::int64_t{-1}))};
}

Ints all_axes(const at::Tensor& x) {
  Ints axes(static_cast<std::size_t>(x.dim()));
  for (std::size_t d = 0; d < axes.size(); ++d) axes[d] = static_cast<std::int64_t>(d);
  return axes;
}

bool keeps(const OnnxNode& node) {
  return attribute(node, "keepdims", std::int64_t{1}) != 0;
}

Values reduce_mean(const OnnxNode& node, const Values& in) {
  return {in[0].mean(attribute(node, "axes", all_axes(in[0])), keeps(node))};
}

Values reduce_sum(const OnnxNode& node, const Values& in) {
  return {in[0].sum(in.size() > 1 ? integers_of(in[1]) : all_axes(in[0]), keeps(node))};
}

// A scale or zero point along an axis, as it broadcasts.
at::Tensor along(const OnnxNode& node, const at::Tensor& values, const at::Tensor& x) {
  if (values.dim() == 0) return values.to(at::kFloat);
  Ints shape(static_cast<std::size_t>(x.dim()), 1);
  shape.at(static_cast<std::size_t>(attribute(node, "axis", std::int64_t{1}))) = values.numel();
  return values.to(at::kFloat).view(shape);
}

// Rounds halves to the even number, as ONNX asks.
Values quantize(const OnnxNode& node, const Values& in) {
  const bool is_unsigned = in[2].scalar_type() == at::kByte;
  const at::Tensor level = at::round(in[0] / along(node, in[1], in[0])) + along(node, in[2], in[0]);
  return {level.clamp(is_unsigned ? 0 : -128, is_unsigned ? 255 : 127).to(in[2].scalar_type())};
}

Values dequantize(const OnnxNode& node, const Values& in) {
  at::Tensor level = in[0].to(at::kFloat);
  if (in.size() > 2 && in[2].defined()) level = level - along(node, in[2], in[0]);
  return {level * along(node, in[1], in[0])};
}

constexpr NodeReader kReaders[] = {{"Relu", unary},
                                   {"Sigmoid", unary},
                                   {"Tanh", unary},
                                   {"Erf", unary},
                                   {"Exp", unary},
                                   {"Sqrt", unary},
                                   {"Neg", unary},
                                   {"Abs", unary},
                                   {"Log", unary},
                                   {"Reciprocal", unary},
                                   {"Floor", unary},
                                   {"Ceil", unary},
                                   {"HardSigmoid", hard_sigmoid},
                                   {"HardSwish", hard_swish},
                                   {"Clip", clip},
                                   {"Add", binary},
                                   {"Sub", binary},
                                   {"Mul", binary},
                                   {"Div", binary},
                                   {"Pow", binary},
                                   {"Softmax", softmax},
                                   {"ReduceMean", reduce_mean},
                                   {"ReduceSum", reduce_sum},
                                   {"QuantizeLinear", quantize},
                                   {"DequantizeLinear", dequantize}};

}  // namespace

std::span<const NodeReader> arithmetic_readers() {
  return kReaders;
}

}  // namespace mgd
