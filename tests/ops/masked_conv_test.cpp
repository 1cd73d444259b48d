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
#include "mgd/kernels/isa.h"
#include "mgd/ops/squared_distance.h"

namespace mgd {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

enum class Path { skipping, dense };

struct Case {
  at::Tensor x, keep, weight, bias, grad;

  Case(at::IntArrayRef shape, std::int64_t out, at::Tensor mask) : keep(std::move(mask)) {
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

double distance(const at::Tensor& a, const at::Tensor& b) {
  return a.numel() == 0 ? 0 : (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

void expect_definition(const Case& c, const std::vector<at::Tensor>& got, bool relu = false,
                       double times = 2) {
  const auto exact = c.definition(at::kDouble, relu), naive = c.definition(at::kFloat, relu);
  const char* names[] = {"output", "grad x", "grad weight", "grad bias"};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double scale = exact[i].numel() == 0 ? 0 : exact[i].abs().max().item<double>();
    EXPECT_LE(distance(got[i], exact[i]), times * distance(naive[i], exact[i]) + 1e-6 * scale) << names[i];
  }
}

at::Tensor spatial(std::int64_t batch, std::int64_t height, std::int64_t width, double ratio) {
  at::manual_seed(5);
  return at::rand({batch, 1, height, width}) >= ratio;
}
at::Tensor by_channel(std::int64_t batch, std::int64_t channels, double ratio) {
  at::manual_seed(5);
  return at::rand({batch, channels, 1, 1}) >= ratio;
}

std::vector<Case> cases() {
  return {
      Case({1, 5, 1, 1}, 3, spatial(1, 1, 1, 0)),          Case({2, 64, 7, 7}, 64, spatial(2, 7, 7, 0.5)),
      Case({1, 33, 31, 17}, 40, spatial(1, 31, 17, 0.75)), Case({9, 20, 12, 11}, 70, spatial(9, 12, 11, 0.3)),
      Case({2, 16, 5, 6}, 7, spatial(2, 5, 6, 2)),         Case({2, 16, 5, 6}, 7, spatial(1, 5, 6, 0.5)),
      Case({3, 70, 7, 7}, 64, by_channel(3, 70, 0.5)),     Case({1, 33, 31, 17}, 40, by_channel(1, 33, 0.75)),
      Case({2, 16, 5, 6}, 7, by_channel(2, 16, 2)),        Case({2, 16, 5, 6}, 7, by_channel(2, 16, 0)),
      Case({2, 8, 5, 6}, 7, at::rand({2, 8, 5, 6}) >= 0.5)};
}

TEST(MaskedConv, AgreesWithTheDefinitionInEveryPassAndInstructionSet) {
  for (const char* isa : {"portable", "", "dense"}) {
    setenv("MGD_ISA", std::string(isa) == "dense" ? "" : isa, 1);
    for (const Case& c : cases()) {
      SCOPED_TRACE(testing::Message() << isa << " " << c.x.sizes() << " " << c.keep.sizes());
      const auto skip = std::string(isa) == "dense" ? SkipHidden::never : SkipHidden::always;
      expect_definition(c, c.ours({.skip = skip}));
      expect_definition(c, c.ours({.relu = true, .skip = skip}), /*relu=*/true);
    }
  }
  unsetenv("MGD_ISA");
}

std::vector<std::string> usable() {
  std::vector<std::string> names;
  for (const IsaState& state : isa_states())
    if (state.reason.find("lacks") == std::string::npos) names.push_back(state.name);
  return names;
}

// Rounded factors, float sums, rounded results: the error is that of LibTorch's bfloat16, or half a unit of
// the last of eight binary places.
void expect_bf16_definition(const Case& exactly, bool relu) {
  Case c = exactly;
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
  for (const std::string& isa : usable()) {
    setenv("MGD_ISA", isa.c_str(), 1);
    for (const Case& c : cases())
      for (const bool relu : {false, true}) {
        SCOPED_TRACE(testing::Message() << isa << " " << c.x.sizes() << " " << c.keep.sizes());
        expect_bf16_definition(c, relu);
      }
  }
  unsetenv("MGD_ISA");
}

TEST(MaskedConv, TakesEveryLayoutAndGivesChannelsLast) {
  Case c({2, 20, 9, 8}, 24, spatial(2, 9, 8, 0.5));
  const auto plain = c.ours();
  EXPECT_TRUE(plain[0].is_contiguous(at::MemoryFormat::ChannelsLast));
  c.x = c.x.contiguous(at::MemoryFormat::ChannelsLast);
  c.weight = c.weight.contiguous(at::MemoryFormat::ChannelsLast);
  const auto other = c.ours();
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(at::equal(plain[i], other[i]));
}

TEST(MaskContract, Line15_NanInHiddenInputReachesNothing) {
  for (Case& c : cases())
    for (const SkipHidden skip : {SkipHidden::always, SkipHidden::never}) {
      const auto clean = c.ours({.skip = skip});
      Case planted = c;
      planted.x = at::where(c.keep, c.x, kNan);
      const auto dirty = planted.ours({.skip = skip});
      for (std::size_t i = 0; i < clean.size(); ++i) EXPECT_TRUE(at::equal(clean[i], dirty[i])) << i;
    }
}

TEST(MaskedConv, HiddenPlacesGetGradientZero) {
  for (const Case& c : cases()) {
    const at::Tensor hidden = at::where(c.keep, 0.0, c.ours()[1].to(at::kDouble));
    EXPECT_EQ(hidden.abs().sum().item<double>(), 0);
  }
}

TEST(MaskedConv, DoesNotDependOnTheNumberOfThreads) {
  const int threads = at::get_num_threads();
  for (const Case& c : {Case({9, 70, 12, 11}, 70, spatial(9, 12, 11, 0.3)),
                        Case({5, 70, 7, 7}, 130, by_channel(5, 70, 0.5))}) {
    at::set_num_threads(1);
    const auto one = c.ours();
    at::set_num_threads(2);
    const auto two = c.ours();
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
  }
  at::set_num_threads(threads);
}

TEST(MaskedConv, CountsOnlyVisibleWork) {
  Case c({2, 8, 4, 5}, 6, at::zeros({2, 1, 4, 5}, at::kBool));
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
  Case({4, 64, 14, 14}, 64, keep).ours({.macs = &skipped});
  Case({4, 64, 14, 14}, 64, all).ours({.macs = &dense});
  EXPECT_LT(skipped, dense / 3);
  EXPECT_EQ(dense, 4 * 196 * 9 * 64 * 64);
}

TEST(MaskedConv, OtherTypesGoTheDenseWay) {
  const Case c({2, 5, 4, 4}, 3, spatial(2, 4, 4, 0.5));
  const auto got = c.run(at::kDouble, [&](auto& a, auto& w, auto& b) {
    return masked_conv3x3(a, c.keep, w, b, {.skip = SkipHidden::always});
  });
  const auto exact = c.definition(at::kDouble);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(at::equal(got[i], exact[i]));
}

TEST(MaskedConv, RefusesWhatDoesNotFit) {
  const Case c({2, 5, 4, 4}, 3, at::ones({2, 2, 4, 4}, at::kBool));
  try {
    c.ours();
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("masked_conv3x3: got keep Bool [2, 2, 4, 4], expected bool that "
                                             "broadcasts to [2, 5, 4, 4]"));
  }
  try {
    masked_conv3x3(c.x, {}, c.weight, at::zeros({4}));
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("got x [2, 5, 4, 4], weight [3, 5, 3, 3], bias [4]"));
  }
}

// 260 channels are wide enough for our own weight gradient, and on the small map for all passes.
TEST(Conv3x3, AgreesWithTheDefinition) {
  struct Shape {
    std::int64_t channels, height, width;
  };
  for (const Shape& s : {Shape{8, 7, 5}, Shape{260, 7, 5}, Shape{260, 9, 8}}) {
    const Case c({3, s.channels, s.height, s.width}, s.channels, at::ones({1, 1, 1, 1}, at::kBool));
    auto got = c.run(at::kFloat, [](auto& a, auto& w, auto& b) { return add_bias(conv3x3(a, w), b); });
    // On the large map the forward pass is oneDNN's for channels-last, which is less exact than the one that
    // stands for the naive way here.
    const bool onednn = s.channels > 100 && s.height * s.width > 49;
    expect_definition(c, got, /*relu=*/false, onednn ? 10 : 2);
  }
}

// Narrow; wide on a small map; wide.
TEST(Conv3x3, AgreesWithTheDefinitionInBfloat16) {
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{3, 8, 7, 5}, {2, 256, 5, 3}, {1, 256, 10, 6}}) {
    Case c(shape, shape[1], at::ones({1, 1, 1, 1}, at::kBool));
    for (at::Tensor* t : {&c.x, &c.weight, &c.bias, &c.grad}) *t = t->to(at::kBFloat16).to(at::kFloat);
    const auto exact = c.definition(at::kDouble), naive = c.definition(at::kBFloat16);
    for (const std::string& isa : usable()) {
      SCOPED_TRACE(testing::Message() << isa << ", " << shape[1] << " channels");
      setenv("MGD_ISA", isa.c_str(), 1);
      const auto got =
          c.run(at::kBFloat16, [](auto& a, auto& w, auto& b) { return add_bias(conv3x3(a, w), b); });
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_LE(distance(got[i], exact[i]),
                  2 * distance(naive[i], exact[i]) + exact[i].abs().max().item<double>() / 256);
    }
  }
  unsetenv("MGD_ISA");
}

// Maps that are no multiple of the tile, channels that are no multiple of a vector, groups of one sample and
// of several. Winograd's own error is some 1e-5 of the largest value.
TEST(Conv3x3, WinogradAgreesWithinItsError) {
  struct Shape {
    std::int64_t batch, in, out, height, width;
  };
  for (const char* isa : {"portable", ""}) {
    setenv("MGD_ISA", isa, 1);
    for (const Shape& s : std::vector<Shape>{
             {1, 5, 3, 1, 1}, {2, 16, 33, 4, 4}, {3, 70, 64, 7, 7}, {1, 20, 17, 31, 17}, {40, 12, 9, 6, 5}}) {
      SCOPED_TRACE(testing::Message() << isa << " " << s.batch << " x " << s.in << " -> " << s.out << ", "
                                      << s.height << " x " << s.width);
      const Case c({s.batch, s.in, s.height, s.width}, s.out, at::ones({1, 1, 1, 1}, at::kBool));
      const auto got = c.run(
          at::kFloat, [](auto& a, auto& w, auto& b) { return add_bias(conv3x3(a, w, Winograd::always), b); });
      const auto exact = c.definition(at::kDouble);
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_LE(distance(got[i], exact[i]), 2e-5 * exact[i].abs().max().item<double>()) << i;
      EXPECT_FALSE(at::equal(got[0], c.definition(at::kFloat)[0]) && s.in > 12);  // it was not the dense way
    }
  }
  unsetenv("MGD_ISA");
}

TEST(Conv3x3, WinogradDoesNotDependOnTheNumberOfThreads) {
  const int threads = at::get_num_threads();
  const Case c({40, 12, 6, 5}, 9, at::ones({1, 1, 1, 1}, at::kBool));
  const auto run = [&] {
    return c.run(at::kFloat,
                 [](auto& a, auto& w, auto& b) { return add_bias(conv3x3(a, w, Winograd::always), b); });
  };
  at::set_num_threads(1);
  const auto one = run();
  at::set_num_threads(2);
  const auto two = run();
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
}

TEST(WinogradPays, FollowsWhatWasMeasured) {
  const auto at = [](std::int64_t batch, std::int64_t channels, std::int64_t side) {
    return winograd_pays({.batch = batch, .height = side, .width = side, .in = channels, .out = channels});
  };
  EXPECT_TRUE(at(128, 16, 32));
  EXPECT_TRUE(at(8, 64, 56));
  EXPECT_TRUE(at(8, 256, 14));
  EXPECT_TRUE(at(16, 256, 28));
  EXPECT_FALSE(at(8, 512, 7)) << "the filters' transforms";
  EXPECT_TRUE(winograd_pays({.batch = 8, .height = 7, .width = 7, .in = 512, .out = 512}, true));
  EXPECT_FALSE(at(128, 8, 32)) << "products of vectors that are half empty";
  EXPECT_FALSE(at(512, 64, 1)) << "a tile of sixteen for one output";
  EXPECT_FALSE(at(0, 64, 8));
}

TEST(Conv3x3, WinogradIsLeftOutWhereItDoesNotPay) {
  const at::Tensor x = at::randn({8, 8, 8, 8}), weight = at::randn({8, 8, 3, 3});
  EXPECT_TRUE(at::equal(conv3x3(x, weight, Winograd::automatic), at::conv2d(x, weight, {}, 1, 1)));
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
