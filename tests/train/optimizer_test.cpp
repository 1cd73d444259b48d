#include "mgd/train/optimizer.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

namespace mgd {
namespace {

at::Tensor leaf(std::vector<double> values) {
  return at::tensor(values, at::kDouble).set_requires_grad(true);
}

void set_grad(const at::Tensor& parameter, std::vector<double> values) {
  parameter.mutable_grad() = at::tensor(values, at::kDouble);
}

// Sutskever et al. 2013 in PyTorch's form: v = m v + (g + wd p), p -= lr v; Nesterov: p -= lr (g + wd p + m
// v).
TEST(Optimizer, SgdWithMomentumFollowsItsFormula) {
  for (const bool nesterov : {false, true}) {
    const at::Tensor p = leaf({1.0, -2.0});
    Optimizer optimizer({{"w", p, TensorKind::weight}},
                        {.name = "sgd", .momentum = 0.9, .nesterov = nesterov, .weight_decay = 0.1});
    double expected[2] = {1.0, -2.0}, v[2] = {0, 0};
    for (int step = 0; step < 5; ++step) {
      const double g[2] = {0.3 + step, -0.7};
      set_grad(p, {g[0], g[1]});
      optimizer.step(0.05);
      for (int i = 0; i < 2; ++i) {
        const double d = g[i] + 0.1 * expected[i];
        v[i] = 0.9 * v[i] + d;
        expected[i] -= 0.05 * (nesterov ? d + 0.9 * v[i] : v[i]);
        EXPECT_NEAR(p[i].item<double>(), expected[i], 1e-12);
      }
    }
  }
}

TEST(Optimizer, AdamWFollowsItsFormula) {
  const at::Tensor p = leaf({0.5});
  Optimizer optimizer({{"w", p, TensorKind::weight}},
                      {.name = "adamw", .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.2});
  double expected = 0.5, m = 0, v = 0;
  for (int step = 1; step <= 6; ++step) {
    const double g = std::sin(step);
    set_grad(p, {g});
    optimizer.step(0.01);
    expected *= 1 - 0.01 * 0.2;
    m = 0.8 * m + 0.2 * g;
    v = 0.95 * v + 0.05 * g * g;
    expected -= 0.01 * (m / (1 - std::pow(0.8, step))) / (std::sqrt(v / (1 - std::pow(0.95, step))) + 1e-6);
    EXPECT_NEAR(p.item<double>(), expected, 1e-9);
  }
}

TEST(Optimizer, NormsAndBiasesCanBeExemptFromDecay) {
  const at::Tensor weight = leaf({1.0}), norm = leaf({1.0}), bias = leaf({1.0});
  Optimizer optimizer(
      {{"w", weight, TensorKind::weight}, {"n", norm, TensorKind::norm}, {"b", bias, TensorKind::bias}},
      {.name = "sgd", .momentum = 0, .weight_decay = 0.5, .decay_norm_bias = false});
  optimizer.step(0.1);  // no gradient at all: only decay moves anything
  EXPECT_NEAR(weight.item<double>(), 1.0 - 0.1 * 0.5, 1e-12);
  EXPECT_EQ(norm.item<double>(), 1.0);
  EXPECT_EQ(bias.item<double>(), 1.0);
}

TEST(Optimizer, ClippingScalesAllGradientsTogether) {
  const at::Tensor a = leaf({3.0}), b = leaf({4.0});
  Optimizer optimizer({{"a", a, TensorKind::weight}, {"b", b, TensorKind::bias}}, {});
  set_grad(a, {3.0});
  set_grad(b, {4.0});
  EXPECT_NEAR(optimizer.clip_grad_norm(0), 5.0, 1e-12);  // off: only measured
  EXPECT_EQ(a.grad().item<double>(), 3.0);
  EXPECT_NEAR(optimizer.clip_grad_norm(1.0), 5.0, 1e-12);
  EXPECT_NEAR(a.grad().item<double>(), 0.6, 1e-12);
  EXPECT_NEAR(b.grad().item<double>(), 0.8, 1e-12);
}

TEST(Optimizer, AParameterInTwoGroupsIsRefused) {
  const at::Tensor p = leaf({1.0});
  EXPECT_THROW(Optimizer({{"a", p, TensorKind::weight}, {"b", p, TensorKind::norm}}, {}), std::logic_error);
}

// Whatever lies where in memory, and even when a layout changes between two steps.
TEST(Optimizer, LayoutsDoNotMatter) {
  const std::pair<const char*, std::int64_t> cases[] = {{"sgd", 3}, {"adamw", 3}, {"sgd", 1}};
  for (const auto& [name, side] : cases) {
    SCOPED_TRACE(testing::Message() << name << " " << side << " x " << side);
    const at::Tensor start = at::randn({4, 5, side, side}).to(at::kDouble);
    const auto trained = [&, name = name](at::MemoryFormat of_weight, at::MemoryFormat of_grad, bool turn) {
      at::Tensor p = start.clone(of_weight);
      p.set_requires_grad(true);
      Optimizer optimizer({{"w", p, TensorKind::weight}}, {.name = name, .weight_decay = 0.1});
      for (int step = 0; step < 4; ++step) {
        if (turn && step == 2) p.set_data(p.detach().contiguous());
        p.mutable_grad() = start.add(step).sin().clone(of_grad);
        optimizer.step(0.1);
      }
      EXPECT_TRUE(p.is_contiguous(turn ? at::MemoryFormat::Contiguous : of_weight));
      return p.detach();
    };
    constexpr auto kRows = at::MemoryFormat::Contiguous, kLast = at::MemoryFormat::ChannelsLast;
    const at::Tensor expected = trained(kRows, kRows, false);
    EXPECT_TRUE(at::allclose(trained(kLast, kLast, false), expected, 0, 1e-14));
    EXPECT_TRUE(at::allclose(trained(kLast, kRows, false), expected, 0, 1e-14));
    EXPECT_TRUE(at::allclose(trained(kRows, kLast, false), expected, 0, 1e-14));
    EXPECT_TRUE(at::allclose(trained(kLast, kLast, true), expected, 0, 1e-14));
  }
}

TEST(Optimizer, StateTravels) {
  for (const char* name : {"sgd", "adamw"}) {
    const at::Tensor a = leaf({1.0}), b = leaf({1.0});
    Optimizer first({{"w", a, TensorKind::weight}}, {.name = name}),
        second({{"w", b, TensorKind::weight}}, {.name = name});
    set_grad(a, {0.7});
    first.step(0.1);
    b.detach().copy_(a);
    second.load_state(first.state());
    set_grad(a, {-0.2});
    set_grad(b, {-0.2});
    first.step(0.1);
    second.step(0.1);
    EXPECT_EQ(a.item<double>(), b.item<double>()) << name;
  }
}

}  // namespace
}  // namespace mgd
