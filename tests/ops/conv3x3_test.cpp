// Convolutions that hide nothing against at::conv2d in double.
#include "mgd/ops/conv3x3.h"

#include <ATen/Parallel.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include <cstdlib>

#include "mgd/ops/squared_distance.h"
#include "ops/conv_data.h"
#include "usable_isas.h"

namespace mgd {
namespace {

// 260 channels are wide enough for our own weight gradient, and on the small map for all passes.
TEST(Conv3x3, AgreesWithTheDefinition) {
  struct Shape {
    std::int64_t channels, height, width;
  };
  for (const Shape& s : {Shape{8, 7, 5}, Shape{260, 7, 5}, Shape{260, 9, 8}}) {
    const ConvData c({3, s.channels, s.height, s.width}, s.channels, at::ones({1, 1, 1, 1}, at::kBool));
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
    ConvData c(shape, shape[1], at::ones({1, 1, 1, 1}, at::kBool));
    for (at::Tensor* t : {&c.x, &c.weight, &c.bias, &c.grad}) *t = t->to(at::kBFloat16).to(at::kFloat);
    const auto exact = c.definition(at::kDouble), naive = c.definition(at::kBFloat16);
    for (const IsaState& state : usable_isas()) {
      SCOPED_TRACE(testing::Message() << state.name << ", " << shape[1] << " channels");
      setenv("MGD_ISA", state.name.c_str(), 1);
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
      const ConvData c({s.batch, s.in, s.height, s.width}, s.out, at::ones({1, 1, 1, 1}, at::kBool));
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
  const ConvData c({40, 12, 6, 5}, 9, at::ones({1, 1, 1, 1}, at::kBool));
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

}  // namespace
}  // namespace mgd
