#include "mgd/core/caching_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "mgd/core/philox.h"

namespace mgd {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(CachingHeap, WhatIsFreedIsUsedAgainWithoutMapping) {
  CachingHeap heap(1024 * kMiB);
  const std::vector<std::size_t> sizes{100'000, 5 * kMiB, 70'000, 40 * kMiB, 64};
  std::uint64_t mappings = 0;
  for (int step = 0; step < 5; ++step) {
    std::vector<void*> blocks;
    for (const std::size_t size : sizes) {
      blocks.push_back(heap.allocate(size));
      ASSERT_NE(blocks.back(), nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back()) % 64, 0U);
      std::memset(blocks.back(), step, size);
    }
    for (void* block : blocks) EXPECT_TRUE(heap.free(block));
    if (step == 0) mappings = heap.stats().mappings;
    EXPECT_EQ(heap.stats().mappings, mappings);
    EXPECT_EQ(heap.stats().live_bytes, 0U);
  }
  EXPECT_EQ(mappings, 2U);  // 32 MiB, and one for the block of 40
  EXPECT_EQ(heap.stats().cached_bytes, (32 + 40) * kMiB);
  EXPECT_EQ(heap.stats().allocations, 5 * sizes.size());
}

TEST(CachingHeap, ThePeakCountsFromWhereItWasRestarted) {
  CachingHeap heap(1024 * kMiB);
  void* large = heap.allocate(8 * kMiB);
  void* small = heap.allocate(kMiB);
  EXPECT_TRUE(heap.free(large));
  EXPECT_EQ(heap.stats().peak_live_bytes, 9 * kMiB);
  heap.restart_peak();
  EXPECT_EQ(heap.stats().peak_live_bytes, kMiB);
  void* again = heap.allocate(2 * kMiB);
  EXPECT_EQ(heap.stats().peak_live_bytes, 3 * kMiB);
  EXPECT_TRUE(heap.free(again) && heap.free(small));
}

// Blocks never overlap, keep what was written in them, and join again into whole segments.
TEST(CachingHeap, RandomUseKeepsItsContents) {
  CachingHeap heap(4096 * kMiB);
  RandomStream random(random_key(1, "test/heap"), 0, 0);
  struct Held {
    char* memory;
    std::size_t bytes;
    char mark;
  };
  std::vector<Held> held;
  for (int i = 0; i < 4000; ++i) {
    if (held.size() < 40 || random.below(2) == 0) {
      const std::size_t bytes = 1 + random.below(i % 50 == 0 ? 3'000'000 : 60'000);
      auto* memory = static_cast<char*>(heap.allocate(bytes));
      ASSERT_NE(memory, nullptr);
      const char mark = static_cast<char>(i);
      std::memset(memory, mark, bytes);
      held.push_back({memory, bytes, mark});
    } else {
      const std::size_t at = random.below(static_cast<std::uint32_t>(held.size()));
      const Held block = held[at];
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
      for (std::size_t b = 0; b < block.bytes; b += 997) ASSERT_EQ(block.memory[b], block.mark);
      ASSERT_EQ(block.memory[block.bytes - 1], block.mark);
      ASSERT_TRUE(heap.free(block.memory));
    }
  }
  std::uint64_t bytes = 0;
  for (const Held& block : held) bytes += block.bytes;
  EXPECT_GE(heap.stats().live_bytes, bytes);
  EXPECT_LE(heap.stats().live_bytes, bytes + held.size() * 4608);
  for (const Held& block : held) heap.free(block.memory);
  EXPECT_EQ(heap.stats().live_bytes, 0U);
  heap.release_cached();
  EXPECT_EQ(heap.stats().cached_bytes, 0U);
}

TEST(CachingHeap, KeepsNoMoreThanItMay) {
  CachingHeap heap(64 * kMiB);
  void* large = heap.allocate(200 * kMiB);
  void* small = heap.allocate(1000);
  EXPECT_TRUE(heap.free(large));
  EXPECT_LE(heap.stats().cached_bytes, 64 * kMiB);
  EXPECT_TRUE(heap.free(small));
}

TEST(CachingHeap, WhatIsNotItsOwnOrNotThere) {
  CachingHeap heap(64 * kMiB);
  int other = 0;
  EXPECT_FALSE(heap.free(&other));
  EXPECT_EQ(heap.allocate(std::size_t{1} << 60), nullptr);
  EXPECT_EQ(heap.allocate(SIZE_MAX), nullptr);
  void* block = heap.allocate(5000);
  EXPECT_TRUE(heap.free(block));
  EXPECT_FALSE(heap.free(block));
}

TEST(CachingHeap, ThreadsShareIt) {
  CachingHeap heap(512 * kMiB);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&heap, t] {
      RandomStream random(random_key(2, "test/heap"), 0, static_cast<std::uint64_t>(t));
      for (int i = 0; i < 500; ++i) {
        const std::size_t bytes = 1 + random.below(200'000);
        auto* memory = static_cast<char*>(heap.allocate(bytes));
        memory[0] = memory[bytes - 1] = static_cast<char>(t);
        std::this_thread::yield();
        EXPECT_EQ(memory[0], static_cast<char>(t));
        EXPECT_EQ(memory[bytes - 1], static_cast<char>(t));
        EXPECT_TRUE(heap.free(memory));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(heap.stats().live_bytes, 0U);
  EXPECT_EQ(heap.stats().allocations, 2000U);
}

}  // namespace
}  // namespace mgd
