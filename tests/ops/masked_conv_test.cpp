// The masked convolution against at::conv2d of the emptied map, in double.
#include "mgd/ops/masked_conv.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "mgd/core/error.h"
#include "mgd/ops/squared_distance.h"
#include "ops/conv_data.h"
#include "usable_isas.h"

namespace mgd {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

enum class Path { skipping, dense };

at::Tensor spatial(std::int64_t batch, std::int64_t height, std::int64_t width, double ratio) {
  at::manual_seed(5);
  return at::rand({batch, 1, height, width}) >= ratio;
}
at::Tensor by_channel(std::int64_t batch, std::int64_t channels, double ratio) {
  at::manual_seed(5);
  return at::rand({batch, channels, 1, 1}) >= ratio;
}

std::vector<ConvData> cases() {
  return {ConvData({1, 5, 1, 1}, 3, spatial(1, 1, 1, 0)),
          ConvData({2, 64, 7, 7}, 64, spatial(2, 7, 7, 0.5)),
          ConvData({1, 33, 31, 17}, 40, spatial(1, 31, 17, 0.75)),
          ConvData({9, 20, 12, 11}, 70, spatial(9, 12, 11, 0.3)),
          ConvData({5, 7, 23, 24}, 9, spatial(1, 23, 24, 0)),  // several segments that hide nothing
          ConvData({8, 6, 23, 24}, 5, spatial(8, 23, 24, 0.3)),
          ConvData({2, 16, 5, 6}, 7, spatial(2, 5, 6, 2)),
          ConvData({2, 16, 5, 6}, 7, spatial(1, 5, 6, 0.5)),
          ConvData({3, 70, 7, 7}, 64, by_channel(3, 70, 0.5)),
          ConvData({1, 33, 31, 17}, 40, by_channel(1, 33, 0.75)),
          ConvData({2, 16, 5, 6}, 7, by_channel(2, 16, 2)),
          ConvData({2, 16, 5, 6}, 7, by_channel(2, 16, 0)),
          ConvData({2, 8, 5, 6}, 7, at::rand({2, 8, 5, 6}) >= 0.5)};
}

TEST(MaskedConv, AgreesWithTheDefinitionInEveryPassAndInstructionSet) {
  for (const char* isa : {"portable", "", "dense"}) {
    setenv("MGD_ISA", std::string(isa) == "dense" ? "" : isa, 1);
    for (const ConvData& c : cases()) {
      SCOPED_TRACE(testing::Message() << isa << " " << c.x.sizes() << " " << c.keep.sizes());
      const auto skip = std::string(isa) == "dense" ? SkipHidden::never : SkipHidden::always;
      expect_definition(c, c.ours({.skip = skip}));
      expect_definition(c, c.ours({.relu = true, .skip = skip}), /*relu=*/true);
    }
  }
  unsetenv("MGD_ISA");
}

// Rounded factors, float sums, rounded results: the error is that of LibTorch's bfloat16, or half a unit of
// the last of eight binary places.
void expect_bf16_definition(const ConvData& exactly, bool relu) {
  ConvData c = exactly;
  for (at::Tensor* t : {&c.x, &c.weight, &c.bias, &c.grad}) *t = t->to(at::kBFloat16).to(at::kFloat);
  const auto exact = c.definition(at::kDouble, relu), naive = c.definition(at::kBFloat16, relu);
  std::int64_t macs = 0;
  c.x = at::where(c.keep, c.x, kNan);
  const MaskedConvOptions options{.relu = relu, .skip = SkipHidden::always, .macs = &macs};
  const auto got = c.run(at::kBFloat16,
                         [&](auto& a, auto& w, auto& b) { return masked_conv3x3(a, c.keep, w, b, options); });
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].scalar_type(), at::kBFloat16);
    const double scale = exact[i].numel() == 0 ? 0 : exact[i].abs().max().item<double>();
    EXPECT_LE(distance(got[i], exact[i]), 2 * distance(naive[i], exact[i]) + scale / 512) << i;
  }
  std::int64_t float_macs = 0;
  c.ours({.skip = SkipHidden::always, .macs = &float_macs});
  EXPECT_EQ(macs, float_macs);
}

TEST(MaskedConv, AgreesWithTheDefinitionInBfloat16AndNanInHiddenInputReachesNothing) {
  for (const IsaState& state : usable_isas()) {
    setenv("MGD_ISA", state.name.c_str(), 1);
    for (const ConvData& c : cases())
      for (const bool relu : {false, true}) {
        SCOPED_TRACE(testing::Message() << state.name << " " << c.x.sizes() << " " << c.keep.sizes());
        expect_bf16_definition(c, relu);
      }
  }
  unsetenv("MGD_ISA");
}

TEST(MaskedConv, TakesEveryLayoutAndGivesChannelsLast) {
  ConvData c({2, 20, 9, 8}, 24, spatial(2, 9, 8, 0.5));
  const auto plain = c.ours();
  EXPECT_TRUE(plain[0].is_contiguous(at::MemoryFormat::ChannelsLast));
  c.x = c.x.contiguous(at::MemoryFormat::ChannelsLast);
  c.weight = c.weight.contiguous(at::MemoryFormat::ChannelsLast);
  const auto other = c.ours();
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(at::equal(plain[i], other[i]));
}

TEST(MaskContract, Line15_NanInHiddenInputReachesNothing) {
  for (ConvData& c : cases())
    for (const SkipHidden skip : {SkipHidden::always, SkipHidden::never}) {
      const auto clean = c.ours({.skip = skip});
      ConvData planted = c;
      planted.x = at::where(c.keep, c.x, kNan);
      const auto dirty = planted.ours({.skip = skip});
      for (std::size_t i = 0; i < clean.size(); ++i) EXPECT_TRUE(at::equal(clean[i], dirty[i])) << i;
    }
}

TEST(MaskedConv, HiddenPlacesGetGradientZero) {
  for (const ConvData& c : cases()) {
    const at::Tensor hidden = at::where(c.keep, 0.0, c.ours()[1].to(at::kDouble));
    EXPECT_EQ(hidden.abs().sum().item<double>(), 0);
  }
}

TEST(MaskedConv, DoesNotDependOnTheNumberOfThreads) {
  const int threads = at::get_num_threads();
  for (const ConvData& c : {ConvData({9, 70, 12, 11}, 70, spatial(9, 12, 11, 0.3)),
                            ConvData({5, 7, 23, 24}, 9, spatial(1, 23, 24, 0)),
                            ConvData({5, 70, 7, 7}, 130, by_channel(5, 70, 0.5))}) {
    at::set_num_threads(1);
    const auto one = c.ours();
    at::set_num_threads(2);
    const auto two = c.ours();
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
  }
  at::set_num_threads(threads);
}

TEST(MaskedConv, CountsOnlyVisibleWork) {
  ConvData c({2, 8, 4, 5}, 6, at::zeros({2, 1, 4, 5}, at::kBool));
  c.keep[0][0][0][0].fill_(true);  // a corner: 4 taps
  c.keep[1][0][2][2].fill_(true);  // inside: 9
  std::int64_t macs = 0, dense = 0;
  c.ours({.skip = SkipHidden::always, .macs = &macs});
  EXPECT_EQ(macs, (4 + 9) * 8 * 6);
  c.ours({.skip = SkipHidden::never, .macs = &dense});
  EXPECT_EQ(dense, 2 * 20 * 9 * 8 * 6);
}

TEST(MaskedConv, SkipsByItselfWhereTheCostModelSaysSo) {
  const at::Tensor keep = spatial(4, 14, 14, 0.75), all = at::ones({4, 1, 14, 14}, at::kBool);
  std::int64_t skipped = 0, dense = 0;
  ConvData({4, 64, 14, 14}, 64, keep).ours({.macs = &skipped});
  ConvData({4, 64, 14, 14}, 64, all).ours({.macs = &dense});
  EXPECT_LT(skipped, dense / 3);
  EXPECT_EQ(dense, 4 * 196 * 9 * 64 * 64);
}

TEST(MaskedConv, OtherTypesGoTheDenseWay) {
  const ConvData c({2, 5, 4, 4}, 3, spatial(2, 4, 4, 0.5));
  const auto got = c.run(at::kDouble, [&](auto& a, auto& w, auto& b) {
    return masked_conv3x3(a, c.keep, w, b, {.skip = SkipHidden::always});
  });
  const auto exact = c.definition(at::kDouble);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(at::equal(got[i], exact[i]));
}

TEST(MaskedConv, RefusesWhatDoesNotFit) {
  const ConvData c({2, 5, 4, 4}, 3, at::ones({2, 2, 4, 4}, at::kBool));
  try {
    c.ours();
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("masked_conv3x3: got keep bool (2, 2, 4, 4), expected bool that "
                                             "broadcasts to [2, 5, 4, 4]"));
  }
  try {
    masked_conv3x3(c.x, {}, c.weight, at::zeros({4}));
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(),
                testing::HasSubstr("got x float (2, 5, 4, 4), weight float (3, 5, 3, 3), bias float (4)"));
  }
}

TEST(SkippingPays, FollowsWhatWasMeasured) {
  const ConvCase map{.batch = 16, .height = 28, .width = 28, .in = 256, .out = 256};
  const auto with = [&](double visible, bool by_channel, std::int64_t side, bool bf16) {
    ConvCase c = map;
    c.visible_frac = visible, c.by_channel = by_channel, c.height = c.width = side, c.bf16 = bf16;
    return skipping_pays(c);
  };
  EXPECT_TRUE(with(0.25, false, 28, false));
  EXPECT_TRUE(with(0.85, false, 28, false));
  EXPECT_FALSE(with(1, false, 28, false));
  EXPECT_TRUE(with(0.5, true, 28, false));
  EXPECT_FALSE(with(0.95, true, 28, false));
  // Each sample has its own part of the weights: on small maps that costs as much as the arithmetic.
  EXPECT_TRUE(with(0.5, true, 4, false));
  EXPECT_FALSE(with(0.5, true, 2, false));
  EXPECT_TRUE(with(0.5, false, 2, false));
  // In bfloat16 the arithmetic is cheaper, what is copied for it is not.
  EXPECT_TRUE(with(0.25, false, 28, true));
  EXPECT_TRUE(with(0.8, false, 28, true));
  EXPECT_FALSE(with(0.85, false, 28, true));
  EXPECT_TRUE(with(0.5, true, 28, true));
  EXPECT_TRUE(with(0.25, true, 7, true));
  EXPECT_TRUE(with(0.65, true, 7, true));
  EXPECT_FALSE(with(0.75, true, 7, true));
}

TEST(SquaredDistance, IsOneNumberAndItsGradients) {
  for (const bool plain : {true, false}) {
    at::manual_seed(4);
    const auto map = [&] {
      const at::Tensor t = at::randn({3, 21, 9, 10});
      return plain ? t.contiguous(at::MemoryFormat::ChannelsLast) : t;
    };
    const at::Tensor made = map(), target = map(), bias = at::randn({21});
    const auto run = [&](at::ScalarType type, bool ours) {
      const at::Tensor m = made.to(type).clone().set_requires_grad(true),
                       b = bias.to(type).clone().set_requires_grad(true);
      const at::Tensor t = target.to(type), made_here = m * 1.0;
      const at::Tensor sum =
          ours ? squared_distance(made_here, b, t) : at::sum(at::square(add_bias(made_here, b) - t));
      (sum * 3).backward();
      return std::vector<at::Tensor>{sum.detach(), m.grad(), b.grad()};
    };
    const auto exact = run(at::kDouble, false), naive = run(at::kFloat, false), got = run(at::kFloat, true);
    for (std::size_t i = 0; i < exact.size(); ++i)
      EXPECT_LE(distance(got[i], exact[i]),
                2 * distance(naive[i], exact[i]) + 2e-7 * exact[i].abs().max().item<double>())
          << i;
  }
}

}  // namespace
}  // namespace mgd
