#include "mgd/ops/allocator.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "mgd/core/memory.h"

namespace mgd {
namespace {

class Allocator : public testing::Test {
 protected:
  Allocator() { use_caching_allocator(); }
  ~Allocator() override { use_system_allocator(); }
};

// Tensors that live across the switch are freed by their own allocator.
TEST_F(Allocator, CanBeSwitchedAtAnyTime) {
  EXPECT_TRUE(caching_allocator_in_use());
  at::Tensor ours = at::ones({1'000'000}), small = at::ones({3});
  use_system_allocator();
  EXPECT_FALSE(caching_allocator_in_use());
  at::Tensor theirs = at::ones({1'000'000});
  const auto live = allocator_stats().live_bytes;
  EXPECT_GE(live, 4'000'000U);
  ours = at::Tensor();
  small = at::Tensor();
  EXPECT_LE(allocator_stats().live_bytes, live - 4'000'000U);
  use_caching_allocator();
  theirs = at::Tensor();
}

TEST_F(Allocator, ASteadyStateFaultsNoPage) {
  const auto step = [] {
    const at::Tensor a = at::ones({3'000'000}), b = a * 2;
    return (b + a).sum().item<double>();
  };
  for (int i = 0; i < 3; ++i) step();
  const std::uint64_t before = page_faults();
  const auto mappings = allocator_stats().mappings;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(step(), 9e6);
  EXPECT_EQ(allocator_stats().mappings, mappings);
#ifdef __SANITIZE_ADDRESS__
  constexpr std::uint64_t kFew = 10'000;  // the sanitizer's own
#else
  constexpr std::uint64_t kFew = 2;
#endif
  EXPECT_LE(page_faults() - before, kFew);
}

TEST_F(Allocator, AShortageSaysHowMuchWasAskedFor) {
  try {
    at::empty({std::int64_t{1} << 50}, at::kByte);
    FAIL();
  } catch (const std::exception& error) {
    const auto shortage = memory_shortage(error);
    ASSERT_TRUE(shortage.has_value()) << error.what();
    EXPECT_NE(shortage->find("1125899906842624 bytes were requested"), std::string::npos) << *shortage;
  }
}

TEST_F(Allocator, NothingIsATensorToo) {
  EXPECT_EQ(at::empty({0}).numel(), 0);
  EXPECT_GT(most_cached_bytes(), std::uint64_t{1} << 28);
}

}  // namespace
}  // namespace mgd
