#include "mgd/nn/layers.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "mgd/core/error.h"
#include "nn/support.h"

namespace mgd {
namespace {

double moment(const at::Tensor& x, int power) {
  return x.to(at::kDouble).pow(power).mean().item<double>();
}

TEST(Conv2d, SumsOverGroupsAndCountsMacs) {
  RandomStream random = stream();
  Conv2d conv({.in = 4, .out = 6, .kernel = 3, .stride = 2, .padding = 1, .groups = 2, .bias = true}, random);
  conv.set_path("stem");
  tensor_of(conv, "weight").fill_(1);
  tensor_of(conv, "bias").fill_(0.5);
  at::Tensor x = at::ones({2, 4, 5, 5});
  Forward forward;
  forward.capture("stem");
  const at::Tensor y = conv.forward(x, forward);
  EXPECT_EQ(y.sizes().vec(), (std::vector<std::int64_t>{2, 6, 3, 3}));
  EXPECT_FLOAT_EQ(y[0][0][1][1].item<float>(), 2 * 9 + 0.5F);  // two channels of its group
  EXPECT_FLOAT_EQ(y[1][5][0][0].item<float>(), 2 * 4 + 0.5F);  // corner
  EXPECT_EQ(forward.macs(), 2 * 6 * 9 * (2 * 9));
  EXPECT_TRUE(forward.captured().at("stem").is_same(y));
}

// oneDNN's weight gradient of these writes beyond its buffers, which ends the program sooner or later.
TEST(Conv2d, StridedPixelsOfFewChannelsTrain) {
  for (const std::int64_t in : {1, 3, 7}) {
    RandomStream random = stream();
    Conv2d conv({.in = in, .out = 16, .kernel = 1, .stride = 2}, random),
        exact({.in = in, .out = 16, .kernel = 1, .stride = 2}, random);
    tensor_of(exact, "weight").copy_(tensor_of(conv, "weight"));
    exact.to(at::kDouble);
    conv.to_channels_last();
    const at::Tensor x = at::arange(4 * in * 16 * 12, at::kFloat).remainder(17).div(17).view({4, in, 16, 12});
    for (int round = 0; round < 20; ++round) {
      Forward forward, other;
      conv.forward(x.contiguous(at::MemoryFormat::ChannelsLast), forward).square().sum().backward();
      exact.forward(x.to(at::kDouble), other).square().sum().backward();
      EXPECT_EQ(forward.macs(), 4 * in * 16 * 8 * 6);
    }
    const at::Tensor got = conv.weight().grad(), want = exact.weight().grad();
    EXPECT_LT(got.sub(want).abs().max().item<double>(), 1e-5 * want.abs().max().item<double>()) << in;
  }
}

TEST(Linear, MultipliesAndCountsMacs) {
  RandomStream random = stream();
  Linear linear(3, 2, random);
  linear.set_path("fc");
  tensor_of(linear, "weight").copy_(at::arange(6, at::kFloat).view({2, 3}));
  tensor_of(linear, "bias").fill_(1);
  Forward forward;
  const at::Tensor y = linear.forward(at::ones({5, 4, 3}), forward);
  EXPECT_FLOAT_EQ(y[4][3][0].item<float>(), 4);   // 0 + 1 + 2 + 1
  EXPECT_FLOAT_EQ(y[0][0][1].item<float>(), 13);  // 3 + 4 + 5 + 1
  EXPECT_EQ(forward.macs(), 5 * 4 * 3 * 2);
}

at::Tensor dropped(Dropout& layer, const at::Tensor& x, ForwardDraws draws) {
  Forward forward(/*training=*/true);
  forward.draw_from(std::move(draws));
  return layer.forward(x, forward);
}

// Against the generator itself: which values go is written in the header, so that a resumed run and another
// program can repeat it.
TEST(Dropout, DropsWhatTheGeneratorSaysAndScalesTheRest) {
  Dropout layer(0.25);
  layer.set_path("head.0");
  at::Tensor x = at::arange(1, 1 + 3 * 400, at::kFloat).view({3, 20, 20}).requires_grad_();
  const at::Tensor y = dropped(layer, x, {.seed = 9, .step = 4, .sample_ids = {7, 0, std::int64_t{1} << 40}});
  y.sum().backward();
  std::int64_t zeros = 0;
  for (std::int64_t b = 0; b < 3; ++b) {
    const std::uint64_t sample = std::array<std::uint64_t, 3>{7, 0, 1ULL << 40}[static_cast<std::size_t>(b)];
    RandomStream random(random_key(9, "dropout/head.0"), 4, sample);
    const at::Tensor row = y.detach()[b].view({-1}), grad = x.grad()[b].view({-1}),
                     old = x.detach()[b].view({-1});
    for (std::int64_t i = 0; i < 400; ++i) {
      const float factor = random.next_u32() < (1U << 30) ? 0.0F : 4.0F / 3.0F;
      EXPECT_FLOAT_EQ(row[i].item<float>(), factor * old[i].item<float>());
      EXPECT_FLOAT_EQ(grad[i].item<float>(), factor);
      zeros += factor == 0 ? 1 : 0;
    }
  }
  EXPECT_NEAR(static_cast<double>(zeros), 300, 5 * std::sqrt(1200 * 0.25 * 0.75));
}

TEST(Dropout, DependsOnSeedStepSampleAndPathAndOnNothingElse) {
  Dropout a(0.5), b(0.5);
  a.set_path("a");
  b.set_path("b");
  const at::Tensor x = at::ones({2, 6, 32});
  const ForwardDraws draws{.seed = 1, .step = 2, .sample_ids = {3, 4}};
  const at::Tensor y = dropped(a, x, draws);
  EXPECT_TRUE(at::equal(y, dropped(a, x, draws)));
  EXPECT_FALSE(at::equal(y, dropped(b, x, draws)));
  EXPECT_FALSE(at::equal(y, dropped(a, x, {.seed = 5, .step = 2, .sample_ids = {3, 4}})));
  EXPECT_FALSE(at::equal(y, dropped(a, x, {.seed = 1, .step = 5, .sample_ids = {3, 4}})));
  EXPECT_FALSE(at::equal(y[0], y[1]));
  // Another cut and another order of the batch, longer padding, another precision.
  EXPECT_TRUE(at::equal(y[1], dropped(a, x.narrow(0, 0, 1), {.seed = 1, .step = 2, .sample_ids = {4}})[0]));
  EXPECT_TRUE(at::equal(dropped(a, at::ones({2, 9, 32}), draws).narrow(1, 0, 6), y));
  EXPECT_TRUE(at::equal(dropped(a, x.to(at::kDouble), draws).to(at::kFloat), y));
  const at::Tensor half = dropped(a, x.to(at::kBFloat16), draws);
  EXPECT_EQ(half.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(half.to(at::kFloat), y));
}

TEST(Dropout, IsTheIdentityWithoutTrainingDrawsOrProbability) {
  const at::Tensor x = at::ones({2, 8});
  const ForwardDraws draws{.seed = 1, .step = 0, .sample_ids = {0, 1}};
  Dropout half(0.5), none(0), all(1);
  Forward eval, without_draws(/*training=*/true);
  eval.draw_from(draws);
  EXPECT_TRUE(half.forward(x, eval).is_same(x));
  EXPECT_TRUE(half.forward(x, without_draws).is_same(x));
  EXPECT_TRUE(dropped(none, x, draws).is_same(x));
  EXPECT_EQ(dropped(all, x, draws).abs().sum().item<float>(), 0);
  EXPECT_THROW(dropped(half, x, {.sample_ids = {0}}), Error);  // rows and samples do not match
}

// Moments within five standard errors of what the formula says.
TEST(Init, SpreadsFollowTheFans) {
  struct Case {
    Init init;
    double variance;
  };
  const Conv2dOptions options{.in = 32, .out = 128, .kernel = 3, .groups = 2, .bias = true};
  const double fan_in = 16 * 9, fan_out = 128 * 9, n = 128 * 16 * 9;
  for (const Case& c : {Case{Init::torch_default, 1 / (3 * fan_in)}, Case{Init::kaiming_fan_out, 2 / fan_out},
                        Case{Init::kaiming_fan_in, 2 / fan_in}, Case{Init::normal_001, 1e-4}}) {
    RandomStream random = stream();
    const Conv2d conv(options, random, c.init);
    const at::Tensor weight = tensor_of(conv, "weight");
    EXPECT_NEAR(moment(weight, 1), 0, 5 * std::sqrt(c.variance / n));
    EXPECT_NEAR(moment(weight, 2), c.variance, 5 * c.variance * std::sqrt(2 / n));
    const double bias = tensor_of(conv, "bias").abs().max().item<double>();
    const bool zero_bias = c.init == Init::kaiming_fan_out || c.init == Init::normal_001;
    if (zero_bias) {
      EXPECT_EQ(bias, 0);
    } else {
      EXPECT_TRUE(bias > 0.5 / std::sqrt(fan_in) && bias <= 1 / std::sqrt(fan_in)) << bias;
    }
  }
}

TEST(Init, LayersOfOneStreamDiffer) {
  RandomStream random = stream();
  const Linear a(8, 8, random), b(8, 8, random);
  EXPECT_FALSE(at::equal(tensor_of(a, "weight"), tensor_of(b, "weight")));
}

}  // namespace
}  // namespace mgd
