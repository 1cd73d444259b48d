// What mobile networks need beside convolutions: squeeze-and-excitation, TensorFlow's padding, starts.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <vector>

#include "mgd/nn/conv_norm.h"
#include "mgd/nn/conv_padding.h"
#include "mgd/nn/squeeze_excite.h"
#include "nn/support.h"

namespace mgd {
namespace {

TEST(SqueezeExcite, WeighsChannelsByTheWholeMap) {
  RandomStream random = stream();
  SqueezeExcite layer({.channels = 2, .reduced = 1}, random);
  layer.set_path("se");
  tensor_of(layer, "conv_reduce.weight").copy_(at::arange(1, 3, at::kFloat).view({1, 2, 1, 1}));
  tensor_of(layer, "conv_reduce.bias").fill_(-1);
  tensor_of(layer, "conv_expand.weight").copy_(at::arange(1, 3, at::kFloat).view({2, 1, 1, 1}).mul(0.5));
  tensor_of(layer, "conv_expand.bias").fill_(0.25);
  const at::Tensor x = at::arange(8, at::kFloat).view({1, 2, 2, 2}).div(8);  // means 1.5 / 8 and 5.5 / 8
  Forward forward;
  forward.capture("se");
  const at::Tensor y = layer.forward(x, forward);
  const double squeezed = std::max(0.0, 1.5 / 8 + 2 * 5.5 / 8 - 1);
  for (const std::int64_t c : {0, 1}) {
    const double gate = 1 / (1 + std::exp(-(0.5 * static_cast<double>(c + 1) * squeezed + 0.25)));
    EXPECT_NEAR(y[0][c][1][1].item<double>(), x[0][c][1][1].item<double>() * gate, 1e-6);
  }
  EXPECT_TRUE(forward.captured().at("se").is_same(y));
  EXPECT_EQ(forward.macs(), 4);
}

// Of TensorFlow's rule: ceil(size / stride) outputs, and the odd pixel behind.
TEST(ConvPadding, AsTensorFlow) {
  struct Case {
    std::int64_t size, kernel, stride, before, after;
  };
  for (const Case& c : {Case{224, 3, 2, 0, 1}, Case{225, 3, 2, 1, 1}, Case{112, 5, 2, 1, 2},
                        Case{7, 5, 2, 2, 2}, Case{7, 3, 1, 1, 1}, Case{8, 5, 1, 2, 2}, Case{8, 1, 1, 0, 0},
                        Case{9, 1, 2, 0, 0}, Case{1, 3, 2, 1, 1}, Case{2, 5, 2, 1, 2}}) {
    const at::Tensor x = at::arange(c.size * c.size, at::kFloat).view({1, 1, c.size, c.size}).add(1);
    const Conv2dOptions options{
        .in = 1, .out = 1, .kernel = c.kernel, .stride = c.stride, .padding = 77, .same = true};
    const PaddedInput padded = padded_input(x, options);
    const std::int64_t y = padded.padding[0], right = padded.padding[1];
    EXPECT_TRUE(at::equal(at::constant_pad_nd(padded.x, {right, right, y, y}),
                          at::constant_pad_nd(x, {c.before, c.after, c.before, c.after})))
        << c.size << " " << c.kernel;
    EXPECT_EQ(padded.x.is_same(x), c.before == c.after) << "a copy only where it must be";
  }
}

// Folded and kept, folded while it trains, and one by one: the same padding everywhere.
TEST(ConvPadding, IsTheSameOnEveryWayThroughAConvolution) {
  for (const std::int64_t side : {64, 65})
    for (const std::int64_t kernel : {3, 5}) {
      RandomStream random = stream();
      const Conv2dOptions options{
          .in = 16, .out = 16, .kernel = kernel, .stride = 2, .groups = 16, .same = true};
      Conv2d conv(options, random);
      BatchNorm2d norm(16);
      conv.set_path("conv");
      norm.set_path("bn");
      const at::Tensor x = at::arange(4 * 16 * side * 64, at::kFloat).sin().view({4, 16, side, 64});
      const at::NoGradGuard no_grad;
      Forward forward;
      const std::int64_t y = side % 2 == 0 ? kernel - 2 : kernel - 1, right = kernel - 2;
      const std::vector<std::int64_t> twos{2, 2}, zeros{0, 0}, ones{1, 1};
      const at::Tensor by_hand =
          at::conv2d(at::constant_pad_nd(x, {right / 2, right - right / 2, y / 2, y - y / 2}), conv.weight(),
                     std::optional<at::Tensor>(), twos, zeros, ones, 16);
      const auto check = [&](const at::Tensor& got) {
        ASSERT_EQ(got.sizes(), by_hand.sizes());
        EXPECT_LT(got.sub(by_hand).abs().max().item<double>(), 1e-4);
      };
      check(conv.forward(x, forward));
      check(conv_norm(conv, norm, x, forward));
      conv.set_requires_grad(false);
      check(conv_norm(conv, norm, x, forward));
      check(conv_norm(conv, norm, x.contiguous(at::MemoryFormat::ChannelsLast), forward));
    }
}

TEST(Init, DeviationsOfMobileNetworks) {
  RandomStream random = stream();
  const Conv2dOptions depthwise{.in = 4096, .out = 4096, .kernel = 3, .groups = 4096, .bias = true};
  const Conv2d wide(depthwise, random, Init::kaiming_group);
  EXPECT_NEAR(wide.weight().std().item<double>(), std::sqrt(2.0 / 9), 0.01);
  EXPECT_EQ(wide.bias().abs().max().item<double>(), 0);
  Linear classifier(8, 400, random, Init::uniform_fan_out);
  EXPECT_LE(tensor_of(classifier, "weight").abs().max().item<double>(), 0.05);
  EXPECT_NEAR(tensor_of(classifier, "weight").std().item<double>(), 0.05 / std::sqrt(3.0), 0.002);
  EXPECT_EQ(tensor_of(classifier, "bias").abs().max().item<double>(), 0);
}

TEST(Init, AnIdleStreamGivesShapesAlone) {
  RandomStream nothing = RandomStream::idle_stream();
  const Conv2d conv({.in = 100000, .out = 100000, .kernel = 7, .padding = 3}, nothing);
  EXPECT_TRUE(conv.weight().is_meta());
  EXPECT_EQ(conv.weight().numel(), std::int64_t{100000} * 100000 * 49);
}

}  // namespace
}  // namespace mgd
