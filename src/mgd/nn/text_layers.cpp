#include "mgd/nn/text_layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/nn/init.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

at::Tensor initial_table(std::int64_t rows, std::int64_t width, double deviation, std::int64_t padding,
                         RandomStream& random) {
  at::Tensor table = drawn_normal({rows, width}, random, deviation);
  if (padding >= 0 && padding < rows) table[padding].zero_();
  return table;
}

}  // namespace

Embedding::Embedding(std::int64_t rows, std::int64_t width, double deviation, std::int64_t padding,
                     RandomStream& random)
    : weight_(add_parameter("weight", initial_table(rows, width, deviation, padding, random),
                            TensorKind::weight)) {}

at::Tensor Embedding::forward(const at::Tensor& ids, Forward& forward) {
  if (!ids.defined() || (ids.scalar_type() != at::kLong && ids.scalar_type() != at::kInt))
    refuse(path(), "input", ids, fmt::format("int64 numbers from 0 to {}", weight_.size(0) - 1));
  return forward.node(path(), at::embedding(weight_, ids));
}

LayerNorm::LayerNorm(std::int64_t width, double eps, bool bias)
    : weight_(add_parameter("weight", at::ones({width}, at::kFloat), TensorKind::norm)), eps_(eps) {
  if (bias) bias_ = &add_parameter("bias", at::zeros({width}, at::kFloat), TensorKind::norm);
}

at::Tensor LayerNorm::normed(const at::Tensor& x) const {
  if (!x.defined() || x.dim() == 0 || x.size(-1) != weight_.size(0))
    refuse(path(), "input", x, fmt::format("(..., {})", weight_.size(0)));
  const std::optional<at::Tensor> bias = bias_ ? std::optional(*bias_) : std::nullopt;
  return at::layer_norm(x, {x.size(-1)}, weight_, bias, eps_);
}

at::Tensor LayerNorm::forward(const at::Tensor& x, Forward& forward) {
  return forward.node(path(), normed(x));
}

namespace {

// For contiguous tensors LibTorch asks oneDNN, which compiles a kernel a shape and keeps thousands of them:
// packed batches have a new shape in every step, and that cost as much as the gelu and megabytes a step.
at::Tensor exact_gelu(const at::Tensor& x) {  // (N, H)
  return at::gelu(x.t(), "none").t();
}

}  // namespace

at::Tensor activate(const at::Tensor& x, const std::string& activation) {
  if (activation == "gelu") return exact_gelu(x);
  if (activation == "gelu_new" || activation == "gelu_pytorch_tanh") return at::gelu(x, "tanh");
  if (activation == "relu") return at::relu(x);
  if (activation == "silu") return at::silu(x);
  MGD_ASSERT(activation == "tanh");
  return at::tanh(x);
}

at::Tensor natural_positions(const std::vector<std::int64_t>& offsets, at::Device device,
                             std::span<const std::int64_t> lengths) {
  std::vector<std::int64_t> all;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    const std::int64_t fresh = offsets[s + 1] - offsets[s], held = lengths.empty() ? 0 : lengths[s] - fresh;
    for (std::int64_t t = 0; t < fresh; ++t) all.push_back(held + t);
  }
  return at::tensor(all, at::kLong).to(device);
}

Rotary rotary(const at::Tensor& positions, std::int64_t width, double theta, at::ScalarType type) {
  MGD_ASSERT(width % 2 == 0);
  const at::Tensor exponent = at::arange(0, width, 2, at::TensorOptions(type).device(positions.device())) /
                              static_cast<double>(width);
  const at::Tensor half = positions.to(type).unsqueeze(1) / at::pow(theta, exponent);
  const at::Tensor angles = at::cat({half, half}, 1).unsqueeze(1);
  return {.cos = angles.cos(), .sin = angles.sin()};
}

at::Tensor rotate(const at::Tensor& x, const Rotary& angles) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor turned = at::cat({x.narrow(-1, half, half).neg(), x.narrow(-1, 0, half)}, -1);
  // The angles stay float: bfloat16 would turn far tokens visibly elsewhere.
  return (x * angles.cos + turned * angles.sin).to(x.scalar_type());
}

}  // namespace mgd
