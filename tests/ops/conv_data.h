// What tests of convolutions share: data, the definition in any type, and how far from it one may be.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "mgd/ops/masked_conv.h"

namespace mgd {

struct ConvData {
  at::Tensor x, keep, weight, bias, grad;

  ConvData(at::IntArrayRef shape, std::int64_t out, at::Tensor mask) : keep(std::move(mask)) {
    at::manual_seed(3);
    x = at::randn(shape), weight = at::randn({out, shape[1], 3, 3}), bias = at::randn({out});
    grad = at::randn({shape[0], out, shape[2], shape[3]});
  }

  // Output and gradients of x, weight and bias, for the loss sum(grad * y).
  template <class Forward>
  std::vector<at::Tensor> run(at::ScalarType type, const Forward& forward) const {
    const auto leaf = [&](const at::Tensor& t) {
      return t.to(type).detach().clone().set_requires_grad(true);
    };
    const at::Tensor a = leaf(x), w = leaf(weight), b = leaf(bias);
    const at::Tensor y = forward(a, w, b);
    at::sum(y * grad.to(type)).backward();
    return {y.detach(), a.grad(), w.grad(), b.grad()};
  }
  std::vector<at::Tensor> ours(MaskedConvOptions options = {.skip = SkipHidden::always}) const {
    return run(at::kFloat, [&](auto& a, auto& w, auto& b) { return masked_conv3x3(a, keep, w, b, options); });
  }
  std::vector<at::Tensor> definition(at::ScalarType type, bool relu = false) const {
    return run(type, [&](auto& a, auto& w, auto& b) {
      const at::Tensor y = at::conv2d(at::where(keep, a, 0.0), w, b, 1, 1);
      return relu ? at::relu(y) : y;
    });
  }
};

inline double distance(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() == 0 ? 0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

inline void expect_definition(const ConvData& c, const std::vector<at::Tensor>& got, bool relu = false,
                              double times = 2) {
  const auto exact = c.definition(at::kDouble, relu), naive = c.definition(at::kFloat, relu);
  const char* names[] = {"output", "grad x", "grad weight", "grad bias"};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double scale = exact[i].numel() == 0 ? 0 : exact[i].abs().max().item<double>();
    EXPECT_LE(distance(got[i], exact[i]), times * distance(naive[i], exact[i]) + 1e-6 * scale) << names[i];
  }
}

}  // namespace mgd
