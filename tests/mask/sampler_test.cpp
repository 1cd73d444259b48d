#include "mgd/mask/sampler.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "mgd/core/error.h"

namespace mgd {
namespace {

MaskOptions options_of(const std::string& mask, bool exact = false, std::int64_t size = 2) {
  MaskOptions options;
  options.mask = mask;
  options.exact = exact;
  options.size = size;
  return options;
}

std::vector<std::int64_t> ids(std::int64_t n, std::int64_t first = 0) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), first);
  return all;
}

// All but token, whose units are rows: tests/mask/rows_test.cpp.
std::vector<std::string> map_samplers() {
  std::vector<std::string> names = known_samplers();
  std::erase(names, "token");
  return names;
}

const PhiloxKey kKey = random_key(7, "mask/mgd");

// Units drawn for one sample, by the contract.
std::int64_t num_units(const std::string& mask, std::int64_t c, std::int64_t y, std::int64_t x,
                       std::int64_t size) {
  if (mask == "channel") return c;
  if (mask == "spatial") return y * x;
  if (mask == "element") return c * y * x;
  return ((y + size - 1) / size) * ((x + size - 1) / size);
}

std::vector<std::int64_t> mask_shape(const std::string& mask, std::int64_t b, std::int64_t c, std::int64_t y,
                                     std::int64_t x) {
  if (mask == "channel") return {b, c, 1, 1};
  if (mask == "element") return {b, c, y, x};
  return {b, 1, y, x};
}

std::int64_t count_visible(const at::Tensor& keep) {
  const at::Tensor flat = keep.contiguous();
  const bool* data = flat.const_data_ptr<bool>();
  return std::count(data, data + flat.numel(), true);
}

struct Case {
  std::string mask;
  std::int64_t batch, c, y, x, size;
  double ratio;
  bool exact;
  std::uint32_t step;
};

// Cases drawn from a fixed seed: the same on every machine, and small ones (empty batch, 1x1 map) are
// frequent.
std::vector<Case> drawn_cases() {
  std::vector<Case> cases;
  RandomStream random(random_key(1, "cases"), 0, 0);
  auto up_to = [&](std::uint64_t n) { return static_cast<std::int64_t>(random.below(n)); };
  for (int i = 0; i < 200; ++i)
    for (const auto& mask : map_samplers())
      cases.push_back({mask, up_to(5), 1 + up_to(9), 1 + up_to(9), 1 + up_to(9), 1 + up_to(5),
                       random.uniform(), random.below(2) == 1,
                       static_cast<std::uint32_t>(random.below(1000))});
  return cases;
}

at::Tensor draw(const Case& c, const std::vector<std::int64_t>& samples) {
  return make_sampler(options_of(c.mask, c.exact, c.size))
      ->sample({c.c, c.y, c.x}, c.ratio, {kKey, c.step, samples});
}

TEST(MaskContract, Line11_ShapesByGranularity) {
  for (const Case& c : drawn_cases()) {
    const at::Tensor keep = draw(c, ids(c.batch));
    EXPECT_EQ(keep.sizes().vec(), mask_shape(c.mask, c.batch, c.c, c.y, c.x)) << c.mask;
    EXPECT_EQ(keep.scalar_type(), at::kBool);
    EXPECT_TRUE(keep.device().is_cpu());
  }
}

TEST(MaskContract, Line11_PureFunctionOfKeyStepAndSample) {
  for (const Case& c : drawn_cases()) {
    const std::vector<std::int64_t> batch = {41, 7, 123456789012345, 7};
    const at::Tensor keep = draw(c, batch);
    EXPECT_TRUE(at::equal(keep, draw(c, batch)));
    for (std::int64_t b = 0; b < 4; ++b)  // alone, and so in any batch and at any place of it
      EXPECT_TRUE(at::equal(keep.narrow(0, b, 1), draw(c, {batch[static_cast<std::size_t>(b)]}))) << c.mask;
  }
}

TEST(MaskContract, Line11_FreshByStepSampleAndTap) {
  const std::vector<std::int64_t> shape = {64, 16, 16};  // at size 2: 64 blocks; equal by chance: 2^-64
  for (const auto& mask : map_samplers()) {
    auto sampler = make_sampler(options_of(mask));
    const auto first = ids(2), second = ids(2, 2);
    const at::Tensor keep = sampler->sample(shape, 0.5, {kKey, 3, first});
    EXPECT_FALSE(at::equal(keep, sampler->sample(shape, 0.5, {kKey, 4, first}))) << mask;
    EXPECT_FALSE(at::equal(keep, sampler->sample(shape, 0.5, {random_key(7, "mask/mgd.layer2"), 3, first})))
        << mask;
    EXPECT_FALSE(at::equal(keep, sampler->sample(shape, 0.5, {random_key(8, "mask/mgd"), 3, first}))) << mask;
    EXPECT_FALSE(at::equal(keep, sampler->sample(shape, 0.5, {kKey, 3, second}))) << mask;
    EXPECT_FALSE(at::equal(keep.narrow(0, 0, 1), keep.narrow(0, 1, 1))) << mask;
  }
}

TEST(MaskContract, Line11_HiddenFractionIsBernoulli) {
  constexpr std::int64_t kBatch = 500;
  for (const auto& mask : map_samplers()) {
    for (double ratio : {0.01, 0.15, 0.5, 0.9}) {
      auto sampler = make_sampler(options_of(mask));
      const auto samples = ids(kBatch);
      const at::Tensor keep = sampler->sample({12, 8, 10}, ratio, {kKey, 0, samples});
      const auto n = static_cast<double>(kBatch * num_units(mask, 12, 8, 10, 2));
      // Blocks here are whole, so the fraction of positions is the fraction of units.
      const double hidden_frac =
          1 - static_cast<double>(count_visible(keep)) / static_cast<double>(keep.numel());
      EXPECT_NEAR(hidden_frac, ratio, 5 * std::sqrt(ratio * (1 - ratio) / n)) << mask;
    }
  }
}

// Independent draws: the count of a sample spreads like a binomial, and each unit is hidden equally often.
TEST(MaskContract, Line11_DrawsAreIndependentAndEven) {
  constexpr std::int64_t kBatch = 4000, kChannels = 16;
  constexpr double kRatio = 0.3;
  const auto samples = ids(kBatch);
  const at::Tensor keep =
      make_sampler(options_of("channel"))->sample({kChannels, 2, 2}, kRatio, {kKey, 0, samples});
  double sum_square = 0;
  for (std::int64_t b = 0; b < kBatch; ++b) {
    const double hidden = static_cast<double>(kChannels - count_visible(keep.narrow(0, b, 1)));
    sum_square += std::pow(hidden - kChannels * kRatio, 2);
  }
  const double variance = kChannels * kRatio * (1 - kRatio);
  // The spread of a variance estimate of a nearly normal variable is sqrt(2 / n) of it.
  EXPECT_NEAR(sum_square / kBatch, variance, 5 * variance * std::sqrt(2.0 / kBatch));
  for (std::int64_t c = 0; c < kChannels; ++c)
    EXPECT_NEAR(1 - static_cast<double>(count_visible(keep.narrow(1, c, 1))) / kBatch, kRatio,
                5 * std::sqrt(kRatio * (1 - kRatio) / kBatch));
}

TEST(MaskContract, Line11_ExactCountPerSample) {
  for (Case c : drawn_cases()) {
    c.exact = true;
    c.size = 1;  // a block is a position then, so visible positions count units
    const std::int64_t n = num_units(c.mask, c.c, c.y, c.x, c.size);
    const auto hidden = static_cast<std::int64_t>(std::lround(c.ratio * static_cast<double>(n)));
    const at::Tensor keep = draw(c, ids(3));
    for (std::int64_t b = 0; b < 3; ++b)
      EXPECT_EQ(count_visible(keep.narrow(0, b, 1)), n - hidden) << c.mask << " " << c.ratio;
  }
}

TEST(MaskContract, Line11_ExactHidesEachUnitEquallyOften) {
  constexpr std::int64_t kBatch = 6000;
  const auto samples = ids(kBatch);
  const at::Tensor keep =
      make_sampler(options_of("channel", true))->sample({7, 1, 1}, 3.0 / 7, {kKey, 0, samples});
  for (std::int64_t c = 0; c < 7; ++c)
    EXPECT_NEAR(static_cast<double>(count_visible(keep.narrow(1, c, 1))) / kBatch, 4.0 / 7,
                5 * std::sqrt(12.0 / 49 / kBatch));
}

TEST(MaskContract, Line14_RatioZeroHidesNothingAndOneEverything) {
  for (Case c : drawn_cases()) {
    c.ratio = 0;
    at::Tensor keep = draw(c, ids(c.batch));
    EXPECT_EQ(count_visible(keep), keep.numel()) << c.mask;
    c.ratio = 1;
    EXPECT_EQ(count_visible(draw(c, ids(c.batch))), 0) << c.mask;
  }
}

TEST(Samplers, BlocksAreWholeAndTheLastAreCut) {
  const auto samples = ids(50);
  const at::Tensor keep =
      make_sampler(options_of("block", false, 3))->sample({4, 7, 8}, 0.5, {kKey, 0, samples});
  const bool* data = keep.const_data_ptr<bool>();
  bool differ_across = false;
  for (std::int64_t b = 0; b < 50; ++b) {
    const bool* map = data + b * 56;
    for (std::int64_t y = 0; y < 7; ++y)
      for (std::int64_t x = 0; x < 8; ++x) EXPECT_EQ(map[y * 8 + x], map[(y - y % 3) * 8 + (x - x % 3)]);
    differ_across |= map[0] != map[3] || map[0] != map[24];
  }
  EXPECT_TRUE(differ_across);
  const auto huge =
      make_sampler(options_of("block", true, 65536))->sample({4, 7, 8}, 1.0, {kKey, 0, samples});
  EXPECT_EQ(count_visible(huge), 0);
}

TEST(Samplers, UnknownNameAndNodesThatAreNoMapAreNamed) {
  try {
    make_sampler(options_of("spatail"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_THAT(e.what(), testing::HasSubstr("unknown sampler 'spatail'; did you mean 'spatial'?"));
  }
  try {
    make_sampler(options_of("spatial"))->sample({10}, 0.5, {kKey, 0, {}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(),
                testing::HasSubstr("mask spatial: the node has shape (10), expected a map (C, Y, X)"));
  }
}

TEST(MaskOptions, ReadsAnEntryAndRefusesWhatIsOutOfRange) {
  auto read = [](const std::string& key, const std::string& value) {
    Node node = Node::make_map();
    node.set(key, Node::make_scalar(value));
    MaskOptions options;
    read_options(node, options, "masks.0");
    return options;
  };
  auto message = [&](const std::string& key, const std::string& value) {
    try {
      read(key, value);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(read("mask", "block").mask, "block");
  EXPECT_EQ(read("mask_ratio", "0.15").mask_ratio, 0.15);
  EXPECT_THAT(message("mask_ratio", "1.5"),
              testing::AllOf(testing::HasSubstr("mask_ratio"), testing::HasSubstr("1.5")));
  EXPECT_THAT(message("mask", "spatail"), testing::HasSubstr("spatial"));
  EXPECT_THAT(message("size", "0"), testing::HasSubstr("size"));
}

TEST(MaskOptions, RatioRunsLinearlyToItsEnd) {
  MaskOptions options;
  options.mask_ratio = 0.2;
  EXPECT_DOUBLE_EQ(options.ratio_at(0.7), 0.2);
  options.mask_ratio_end = 0.6;
  EXPECT_DOUBLE_EQ(options.ratio_at(0), 0.2);
  EXPECT_DOUBLE_EQ(options.ratio_at(0.5), 0.4);
  EXPECT_DOUBLE_EQ(options.ratio_at(1), 0.6);
  EXPECT_DOUBLE_EQ(options.ratio_at(1.5), 0.6);
  options.mask_ratio_end = 0;
  EXPECT_DOUBLE_EQ(options.ratio_at(1), 0);
}

// Of a single hidden position each is hidden as often as its weight says; and of many as many as asked for.
TEST(ImportanceMask, HidesInProportionToTheWeights) {
  constexpr std::int64_t kBatch = 20000;
  const std::vector<double> weights = {1, 2, 3, 4, 0, 10};
  at::Tensor scores = at::empty({kBatch, 6}, at::kDouble);
  for (std::int64_t i = 0; i < scores.numel(); ++i)
    scores.mutable_data_ptr<double>()[i] = 5 + std::log(weights[static_cast<std::size_t>(i % 6)]);
  const auto samples = ids(kBatch);
  const auto sampler = make_sampler(options_of("student"));
  const at::Tensor keep = sampler->sample({4, 2, 3}, 1.0 / 6, {kKey, 0, samples, scores});
  for (std::int64_t p = 0; p < 6; ++p) {
    const double expected = weights[static_cast<std::size_t>(p)] / 20;
    const double hidden = 1 - static_cast<double>(count_visible(keep.flatten(1).narrow(1, p, 1))) / kBatch;
    EXPECT_NEAR(hidden, expected, 5 * std::sqrt(expected * (1 - expected) / kBatch)) << p;
  }
  const at::Tensor half = sampler->sample({4, 2, 3}, 0.5, {kKey, 0, samples, scores});
  for (std::int64_t b = 0; b < 100; ++b) EXPECT_EQ(count_visible(half.narrow(0, b, 1)), 3);
}

// A mask must cost nothing beside a training step. The bound is ten times what an idle core of 2020 needs.
TEST(Samplers, AreCheap) {
  const auto samples = ids(128);
  for (const auto& mask : map_samplers()) {
    auto sampler = make_sampler(options_of(mask));
    double best_ms = 1e9;
    for (std::uint32_t step = 0; step < 5; ++step) {
      const auto start = std::chrono::steady_clock::now();
      sampler->sample({64, 8, 8}, 0.5, {kKey, step, samples});
      best_ms = std::min(
          best_ms,
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    RecordProperty(mask + "_us", static_cast<int>(best_ms * 1000));
    EXPECT_LT(best_ms, mask == "element" ? 40.0 : 5.0) << mask;
  }
}

}  // namespace
}  // namespace mgd
