#include "mgd/nn/conv_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mgd/core/error.h"
#include "mgd/nn/autocast.h"
#include "nn/support.h"

namespace mgd {
namespace {

TEST(BatchNorm2d, TrainingMovesStatisticsByATenth) {
  BatchNorm2d norm(1);
  norm.set_path("bn");
  const at::Tensor x = at::arange(4, at::kFloat).view({2, 1, 1, 2});  // mean 1.5, variance 1.25, unbiased 5/3
  Forward training(true);
  const at::Tensor y = norm.forward(x, training);
  EXPECT_NEAR(y[0][0][0][0].item<double>(), -1.5 / std::sqrt(1.25 + 1e-5), 1e-6);
  EXPECT_NEAR(tensor_of(norm, "running_mean").item<double>(), 0.15, 1e-6);
  EXPECT_NEAR(tensor_of(norm, "running_var").item<double>(), 0.9 + 0.1 * 5 / 3, 1e-6);
  EXPECT_EQ(tensor_of(norm, "num_batches_tracked").item<std::int64_t>(), 1);
  EXPECT_EQ(training.macs(), 0);

  Forward eval;
  const at::Tensor z = norm.forward(x, eval);
  EXPECT_NEAR(z[1][0][0][1].item<double>(), (3 - 0.15) / std::sqrt(0.9 + 0.1 * 5 / 3 + 1e-5), 1e-5);
  EXPECT_EQ(tensor_of(norm, "num_batches_tracked").item<std::int64_t>(), 1);
}

TEST(BatchNorm2d, OneValuePerChannelInTrainingIsAnError) {
  BatchNorm2d norm(3);
  norm.set_path("layer3.bn1");
  Forward training(true), eval;
  EXPECT_NO_THROW(norm.forward(at::ones({1, 3, 1, 1}), eval));
  EXPECT_NO_THROW(norm.forward(at::ones({2, 3, 1, 1}), training));
  try {
    norm.forward(at::ones({1, 3, 1, 1}), training);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.what(), testing::HasSubstr("layer3.bn1"));
    EXPECT_THAT(error.what(), testing::HasSubstr("1x3x1x1"));
  }
  EXPECT_EQ(tensor_of(norm, "num_batches_tracked").item<std::int64_t>(), 1);
}

// A convolution and its norm with statistics that are not trivial, and an input that is large enough to fold.
struct ConvAndNorm {
  explicit ConvAndNorm(bool bias, NormOptions norm_options = {})
      : conv(options(bias), random), norm(8, norm_options) {
    conv.set_path("conv");
    norm.set_path("bn");
    for (const char* name : {"weight", "bias", "running_mean"})
      tensor_of(norm, name).copy_(at::arange(8, at::kFloat).sub(3).mul(0.3));
    tensor_of(norm, "running_var").copy_(at::arange(8, at::kFloat).mul(0.5).add(0.1));
  }
  static Conv2dOptions options(bool bias) { return {.in = 4, .out = 8, .padding = 1, .bias = bias}; }
  RandomStream random = stream();
  Conv2d conv;
  BatchNorm2d norm;
  at::Tensor x = at::arange(8 * 4 * 64 * 64, at::kFloat).sin().view({8, 4, 64, 64});
};

TEST(ConvNorm, FoldedGivesTheSameNodesAndMacs) {
  for (const bool bias : {false, true}) {
    ConvAndNorm layers(bias);
    const at::NoGradGuard no_grad;
    Forward one_by_one, folded;
    for (Forward* forward : {&one_by_one, &folded}) forward->capture("bn");
    const at::Tensor y = layers.norm.forward(layers.conv.forward(layers.x, one_by_one), one_by_one);
    const at::Tensor z = conv_norm(layers.conv, layers.norm, layers.x, folded);
    EXPECT_FALSE(at::equal(y, z)) << "not folded";
    EXPECT_LT(y.sub(z).abs().max().item<double>(), 1e-5 * y.abs().max().item<double>());
    EXPECT_TRUE(folded.captured().at("bn").is_same(z));
    EXPECT_EQ(folded.macs(), one_by_one.macs());
  }
}

TEST(ConvNorm, IsNotFoldedWhereItWouldShow) {
  ConvAndNorm layers(false);
  Forward plain;
  const at::Tensor y = layers.norm.forward(layers.conv.forward(layers.x, plain), plain);
  Forward with_gradient, captured, edited, observed;
  EXPECT_TRUE(at::equal(conv_norm(layers.conv, layers.norm, layers.x, with_gradient), y));
  const at::NoGradGuard no_grad;
  captured.capture("conv");
  EXPECT_TRUE(at::equal(conv_norm(layers.conv, layers.norm, layers.x, captured), y));
  EXPECT_TRUE(at::equal(captured.captured().at("conv"), layers.conv.forward(layers.x, plain)));
  edited.edit("conv", [](at::Tensor t) { return t; });
  EXPECT_TRUE(at::equal(conv_norm(layers.conv, layers.norm, layers.x, edited), y));
  std::vector<std::string> seen;
  observed.observe([&](const std::string& name, const at::Tensor&) { seen.push_back(name); });
  EXPECT_TRUE(at::equal(conv_norm(layers.conv, layers.norm, layers.x, observed), y));
  EXPECT_EQ(seen, (std::vector<std::string>{"conv", "bn"}));
  Forward training(/*training=*/true);
  conv_norm(layers.conv, layers.norm, layers.x, training);
  EXPECT_EQ(tensor_of(layers.norm, "num_batches_tracked").item<std::int64_t>(), 1);
}

// What is kept of a frozen convolution follows its weights, statistics and precision.
TEST(ConvNorm, AFrozenOneIsFoldedOnceAndAgainWhenItChanges) {
  for (const bool relu : {false, true}) {
    ConvAndNorm layers(true);
    layers.conv.set_requires_grad(false);
    layers.norm.set_requires_grad(false);
    const auto run = [&](Forward& forward) {
      return conv_norm(layers.conv, layers.norm, layers.x, forward,
                       {relu ? Activation::relu : Activation::none});
    };
    const auto expected = [&] {
      Forward plain;
      const at::Tensor y = layers.norm.forward(layers.conv.forward(layers.x, plain), plain);
      return relu ? y.clamp_min(0) : y;
    };
    const at::NoGradGuard no_grad;
    const auto check = [&](const char* what) {
      Forward forward;
      const at::Tensor y = expected(), z = run(forward);
      EXPECT_LT(y.sub(z).abs().max().item<double>(), 1e-5 * y.abs().max().item<double>()) << what;
    };
    check("first");
    check("again");
    tensor_of(layers.conv, "weight").mul_(-2);
    check("weight");
    tensor_of(layers.conv, "bias").add_(1);
    check("bias");
    tensor_of(layers.norm, "running_mean").add_(0.5);
    check("statistics");
    Forward training(/*training=*/true);
    run(training);
    check("statistics moved by training");
    {
      const AutocastGuard autocast(true, at::kCPU);
      Forward forward;
      EXPECT_EQ(run(forward).scalar_type(), at::kBFloat16);
    }
    check("precision");
    layers.x[0][0][0][0].fill_(std::nan(""));
    Forward broken;
    EXPECT_TRUE(run(broken).isnan().any().item<bool>());
    Forward wanted;
    wanted.capture("bn");
    run(wanted);
    EXPECT_LT(wanted.captured().at("bn").nan_to_num().min().item<double>(), 0)
        << "the node stands before the relu";
  }
}

// A pass by Winograd's convolution, frozen (with a filter that is kept) or in training, is the same within
// its error, and not the same bit by bit.
TEST(ConvNorm, ByWinogradWithinItsError) {
  for (const bool frozen : {true, false}) {
    RandomStream random = stream();
    Conv2d conv({.in = 16, .out = 32, .padding = 1}, random);
    BatchNorm2d norm(32);
    conv.set_path("conv");
    norm.set_path("bn");
    conv.set_requires_grad(!frozen);
    const at::Tensor x = at::arange(8 * 16 * 32 * 32, at::kFloat).sin().view({8, 16, 32, 32});
    const at::AutoGradMode gradients(!frozen);
    Forward exact(!frozen), fast(!frozen);
    fast.use_winograd(true);
    const at::Tensor y = conv_norm(conv, norm, x, exact, {Activation::relu});
    for (int again = 0; again < 2; ++again) {
      const at::Tensor z = conv_norm(conv, norm, x, fast, {Activation::relu});
      EXPECT_FALSE(at::equal(y, z));
      EXPECT_LT(y.sub(z).abs().max().item<double>(), 2e-5 * y.abs().max().item<double>());
    }
    EXPECT_EQ(fast.macs(), 2 * exact.macs()) << "what is needed, by whatever means";
  }
}

constexpr Activation kActivations[] = {Activation::none,    Activation::relu,       Activation::relu6,
                                       Activation::silu,    Activation::gelu,       Activation::hardswish,
                                       Activation::sigmoid, Activation::hardsigmoid};

// The activations by their definitions, in double.
at::Tensor by_formula(const at::Tensor& x, Activation activation) {
  const at::Tensor z = x.to(at::kDouble);
  const at::Tensor hard = z.add(3).div(6).clamp(0, 1), sigmoid = z.neg().exp().add(1).reciprocal();
  switch (activation) {
    case Activation::none:
      return z;
    case Activation::relu:
      return z.clamp_min(0);
    case Activation::relu6:
      return z.clamp(0, 6);
    case Activation::silu:
      return z.mul(sigmoid);
    case Activation::hardswish:
      return z.mul(hard);
    case Activation::gelu:
      return z.mul(z.div(std::sqrt(2.0)).erf().add(1)).div(2);
    case Activation::sigmoid:
      return sigmoid;
    case Activation::hardsigmoid:
      return hard;
  }
  return {};
}

// Every way through a norm keeps its eps: one by one, folded for a layer that trains, folded and kept, fused
// in training. A variance near zero shows it.
TEST(BatchNorm2d, EpsAndMomentumAreItsOwnOnEveryWay) {
  for (const double eps : {1e-3, 1e-5}) {
    ConvAndNorm layers(false, {.eps = eps, .momentum = 0.01});
    tensor_of(layers.norm, "running_var").fill_(1e-4);
    tensor_of(layers.norm, "running_mean").fill_(0);
    const at::NoGradGuard no_grad;
    Forward plain;
    const at::Tensor conv = layers.conv.forward(layers.x, plain);
    const at::Tensor scale = tensor_of(layers.norm, "weight").div(std::sqrt(1e-4 + eps)).view({-1, 1, 1});
    const at::Tensor expected = conv.mul(scale).add(tensor_of(layers.norm, "bias").view({-1, 1, 1}));
    const auto check = [&](const at::Tensor& y, const char* way) {
      EXPECT_LT(y.sub(expected).abs().max().item<double>(), 1e-5 * expected.abs().max().item<double>())
          << way << " " << eps;
    };
    check(layers.norm.forward(conv, plain), "one by one");
    check(conv_norm(layers.conv, layers.norm, layers.x, plain), "folded");
    layers.conv.set_requires_grad(false);
    check(conv_norm(layers.conv, layers.norm, layers.x, plain), "kept");

    const at::Tensor flat = at::arange(16, at::kFloat).mul(1e-3).view({2, 2, 2, 2});
    for (const bool channels_last : {false, true}) {
      BatchNorm2d norm(2, {.eps = eps, .momentum = 0.01});
      norm.set_path("bn");
      Forward training(/*training=*/true);
      const at::Tensor x = channels_last ? flat.contiguous(at::MemoryFormat::ChannelsLast) : flat;
      const at::Tensor y = norm.forward(x, training);
      const at::Tensor channel = flat.select(1, 0).to(at::kDouble);
      const double mean = channel.mean().item<double>();
      const double variance = channel.sub(mean).square().mean().item<double>();
      EXPECT_NEAR(y[0][0][0][0].item<double>(), (0 - mean) / std::sqrt(variance + eps), 1e-5);
      EXPECT_NEAR(tensor_of(norm, "running_mean")[0].item<double>(), 0.01 * mean, 1e-8);
    }
  }
}

// What nobody looks at may be left out; what somebody looks at is the norm itself, before all that follows.
TEST(AfterNorm, IsTheSameWhetherTheNormIsSeenOrNot) {
  for (const bool training : {false, true})
    for (const auto activation : kActivations)
      for (const bool shortcut : {false, true}) {
        ConvAndNorm layers(false);
        const at::Tensor x = layers.x.contiguous(at::MemoryFormat::ChannelsLast);
        const at::Tensor beside =
            at::arange(8 * 8 * 64 * 64, at::kFloat).cos().view({8, 64, 64, 8}).permute({0, 3, 1, 2});
        const AfterNorm after{activation, shortcut ? beside : at::Tensor()};
        const at::NoGradGuard no_grad;
        Forward free(training), wanted(training), edited(training);
        wanted.capture("bn");
        edited.edit("bn", [](at::Tensor t) { return t; });
        const at::Tensor copy = beside.clone();
        const at::Tensor y = conv_norm(layers.conv, layers.norm, x, free, after);
        const at::Tensor seen = conv_norm(layers.conv, layers.norm, x, wanted, after);
        const at::Tensor norm = wanted.captured().at("bn");
        at::Tensor expected = shortcut ? norm + beside : norm;
        expected = by_formula(expected, activation);
        EXPECT_LT(seen.sub(expected).abs().max().item<double>(), 1e-5);
        EXPECT_TRUE(at::equal(conv_norm(layers.conv, layers.norm, x, edited, after), seen));
        EXPECT_TRUE(at::equal(norm, wanted.captured().at("bn")))
            << "nothing is done in place in what is seen";
        EXPECT_LT(y.sub(expected).abs().max().item<double>(), 1e-5);
        EXPECT_TRUE(at::equal(beside, copy)) << "the shortcut is the input of others, too";
      }
}

}  // namespace
}  // namespace mgd
