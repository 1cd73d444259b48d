#include "mgd/core/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace mgd {
namespace {

// Known answers of the authors' own distribution (Random123, kat_vectors, philox4x32 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamsDifferByPurposeStepAndSample) {
  auto first = [](std::string_view purpose, std::uint32_t step, std::uint64_t sample) {
    return RandomStream(random_key(7, purpose), step, sample).next_u64();
  };
  EXPECT_EQ(first("mask", 1, 2), first("mask", 1, 2));
  EXPECT_NE(first("mask", 1, 2), first("mask2", 1, 2));
  EXPECT_NE(first("mask", 1, 2), first("mask", 2, 1));
  EXPECT_NE(random_key(1, "a"), random_key(2, "a"));
}

TEST(Philox, MomentsOfUniformAndNormal) {
  RandomStream stream(random_key(3, "moments"), 0, 0);
  const int n = 200000;
  double sum_uniform = 0, sum_normal = 0, sum_square = 0;
  for (int i = 0; i < n; ++i) {
    sum_uniform += stream.uniform();
    const double z = stream.normal();
    sum_normal += z;
    sum_square += z * z;
  }
  EXPECT_NEAR(sum_uniform / n, 0.5, 5 * std::sqrt(1.0 / 12 / n));
  EXPECT_NEAR(sum_normal / n, 0.0, 5 / std::sqrt(n));
  EXPECT_NEAR(sum_square / n, 1.0, 5 * std::sqrt(2.0 / n));
}

TEST(Philox, BelowIsUnbiasedAndPermutationComplete) {
  RandomStream stream(random_key(3, "below"), 0, 0);
  std::vector<int> count(3);
  for (int i = 0; i < 30000; ++i) ++count[stream.below(3)];
  for (int c : count) EXPECT_NEAR(c, 10000, 5 * std::sqrt(30000 * (1.0 / 3) * (2.0 / 3)));

  auto order = random_permutation(random_key(1, "shuffle"), 4, 1000);
  EXPECT_NE(order, random_permutation(random_key(1, "shuffle"), 5, 1000));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(random_permutation(random_key(1, "shuffle"), 0, 0).empty());
}

}  // namespace
}  // namespace mgd
