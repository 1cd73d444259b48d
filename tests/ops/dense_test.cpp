#include "mgd/ops/dense.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "mgd/kernels/gemm.h"

namespace mgd {
namespace {

double worst(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() == 0 ? 0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

at::Tensor leaf(at::Tensor t) {
  return t.detach().clone().set_requires_grad(true);
}

// Sums of k products of unit normals in float32: the naive code's error grows with sqrt(k).
double tolerance(std::int64_t k) {
  return 4e-6 * std::sqrt(static_cast<double>(k)) + 1e-6;
}

TEST(Linear, AgreesWithDoubleForEverySizeAndLayout) {
  for (const auto& [n, k, m] : {std::tuple<std::int64_t, std::int64_t, std::int64_t>{1, 1, 1},
                                {1, 7, 5},
                                {5, 7, 1},
                                {33, 1, 17},
                                {64, 48, 100},
                                {131, 257, 63}})
    for (const bool transposed : {false, true})
      for (const bool with_bias : {false, true}) {
        SCOPED_TRACE(testing::Message() << n << " " << k << " " << m << " " << transposed << with_bias);
        const at::Tensor x = leaf(at::randn({n, k})),
                         stored = leaf(transposed ? at::randn({k, m}) : at::randn({m, k}));
        const at::Tensor bias = with_bias ? leaf(at::randn({m})) : at::Tensor();
        const at::Tensor dx = leaf(x.to(at::kDouble)), dstored = leaf(stored.to(at::kDouble));
        const at::Tensor dbias = with_bias ? leaf(bias.to(at::kDouble)) : at::Tensor();
        const at::Tensor out = linear(x, transposed ? stored.t() : stored, bias);
        const at::Tensor exact = at::linear(dx, transposed ? dstored.t() : dstored,
                                            with_bias ? std::optional(dbias) : std::nullopt);
        EXPECT_LT(worst(out, exact), tolerance(k));
        const at::Tensor grad = at::randn({n, m});
        out.backward(grad);
        exact.backward(grad.to(at::kDouble));
        EXPECT_LT(worst(x.grad(), dx.grad()), tolerance(m));
        EXPECT_LT(worst(stored.grad(), dstored.grad()), tolerance(n));
        if (k > 1 && m > 1) {
          EXPECT_EQ(stored.grad().strides(), stored.strides());
        }
        if (with_bias) {
          EXPECT_LT(worst(bias.grad(), dbias.grad()), tolerance(n));
        }
      }
}

TEST(Linear, TakesRowsOfAnyShapeAndNone) {
  const at::Tensor weight = at::randn({6, 4}), x = at::randn({2, 3, 4});
  EXPECT_LT(worst(linear(x, weight, at::Tensor()), at::linear(x, weight)), 1e-5);
  EXPECT_EQ(linear(at::zeros({0, 4}), weight, at::Tensor()).sizes(), at::IntArrayRef({0, 6}));
  const at::Tensor strided = at::randn({5, 9}).narrow(1, 2, 4);
  EXPECT_LT(worst(linear(strided, weight, at::Tensor()), at::linear(strided, weight)), 1e-5);
  const at::Tensor doubles = at::randn({3, 4}).to(at::kDouble), w = at::randn({6, 4}).to(at::kDouble);
  EXPECT_EQ(worst(linear(doubles, w, at::Tensor()), at::linear(doubles, w)), 0);
}

TEST(ProductInto, AddsToWhatIsThereOrForgetsIt) {
  const at::Tensor a = at::randn({5, 8}), b = at::randn({8, 3});
  at::Tensor out = at::full({5, 3}, 2.0);
  product_into(out, a, b, 1);
  EXPECT_LT(worst(out, at::mm(a, b) + 2), 1e-5);
  out = at::full({5, 3}, std::numeric_limits<float>::quiet_NaN());
  product_into(out, a, b, 0);
  EXPECT_LT(worst(out, at::mm(a, b)), 1e-5);
  at::Tensor nothing = at::full({2, 3}, 4.0);
  product_into(nothing, at::zeros({2, 0}), at::zeros({0, 3}), 1);
  EXPECT_EQ(worst(nothing, at::full({2, 3}, 4.0)), 0);
  product_into(nothing, at::zeros({2, 0}), at::zeros({0, 3}), 0);
  EXPECT_EQ(worst(nothing, at::zeros({2, 3})), 0);
  at::Tensor wide = at::full({5, 7}, 9.0);
  product_into(wide.narrow(1, 2, 3), a, b, 0);
  EXPECT_LT(worst(wide.narrow(1, 2, 3), at::mm(a, b)), 1e-5);
  EXPECT_EQ(wide.narrow(1, 0, 2).sub(9).abs().max().item<double>(), 0);
  EXPECT_EQ(wide.narrow(1, 5, 2).sub(9).abs().max().item<double>(), 0);
}

TEST(Gemm, TellsWhereItComesFrom) {
  EXPECT_FALSE(gemm_state().empty());
  EXPECT_EQ(has_gemm(), gemm_state().starts_with("libdnnl"));
}

}  // namespace
}  // namespace mgd
