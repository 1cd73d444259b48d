#include "mgd/core/caching_heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>

namespace mgd {

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSegment = std::size_t{32} << 20;  // the least that is asked of the system
constexpr std::size_t kRounding = 512;
constexpr std::size_t kLeastRemainder = 4096;  // a smaller rest stays with its block

constexpr std::size_t round_up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

// `bytes` on a border of huge pages; nullptr when there is no memory.
char* map_segment(std::size_t bytes) {
  void* mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* begin = static_cast<char*>(mapped);
  const std::size_t skip = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (skip > 0) munmap(begin, skip);
  munmap(begin + skip + bytes, kHugePage - skip);
  // Where the system has no huge pages, small ones do.
  madvise(begin + skip, bytes, MADV_HUGEPAGE);
  return begin + skip;
}

// A stretch of a segment; neighbours are linked in the order of their addresses.
struct Block {
  char* begin = nullptr;
  std::size_t bytes = 0;
  bool free = false;
  Block *before = nullptr, *after = nullptr;

  bool whole_segment() const { return before == nullptr && after == nullptr; }
};

struct BySize {
  bool operator()(const Block* a, const Block* b) const {
    return a->bytes != b->bytes ? a->bytes < b->bytes : a->begin < b->begin;
  }
};

}  // namespace

struct CachingHeap::Impl {
  const std::uint64_t max_cached;
  mutable std::mutex mutex;
  std::unordered_map<void*, Block*> live;
  std::set<Block*, BySize> free_blocks;
  HeapStats stats;

  explicit Impl(std::uint64_t max_cached_bytes) : max_cached(max_cached_bytes) {}

  // The largest first: they are the most likely to be strangers of the steady state.
  void release_above(std::uint64_t limit) {
    for (auto it = free_blocks.end(); it != free_blocks.begin() && stats.cached_bytes > limit;) {
      Block* block = *--it;
      if (!block->whole_segment()) continue;
      it = free_blocks.erase(it);
      stats.cached_bytes -= block->bytes;
      munmap(block->begin, block->bytes);
      delete block;
    }
  }

  Block* map(std::size_t bytes) {
    const std::size_t segment = std::max(round_up(bytes, kHugePage), kSegment);
    for (const std::size_t size : {segment, round_up(bytes, kHugePage)}) {
      char* begin = map_segment(size);
      if (begin == nullptr) {
        release_above(0);
        begin = map_segment(size);
      }
      if (begin == nullptr) continue;
      ++stats.mappings;
      stats.cached_bytes += size;
      auto* block = new Block{.begin = begin, .bytes = size, .free = true};
      free_blocks.insert(block);
      return block;
    }
    return nullptr;
  }

  void split(Block* block, std::size_t bytes) {
    if (block->bytes - bytes < kLeastRemainder) return;
    auto* rest = new Block{.begin = block->begin + bytes,
                           .bytes = block->bytes - bytes,
                           .free = true,
                           .before = block,
                           .after = block->after};
    if (rest->after != nullptr) rest->after->before = rest;
    block->after = rest;
    block->bytes = bytes;
    free_blocks.insert(rest);
  }

  // `right` goes into `left`; neither is in free_blocks.
  static Block* join(Block* left, Block* right) {
    left->bytes += right->bytes;
    left->after = right->after;
    if (right->after != nullptr) right->after->before = left;
    delete right;
    return left;
  }
};

CachingHeap::CachingHeap(std::uint64_t max_cached_bytes) : impl_(std::make_unique<Impl>(max_cached_bytes)) {}

CachingHeap::~CachingHeap() {
  release_cached();
}

void* CachingHeap::allocate(std::size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  const std::size_t rounded = round_up(std::max<std::size_t>(bytes, 1), kRounding);
  const std::lock_guard lock(impl_->mutex);
  Block wanted{.bytes = rounded};
  const auto found = impl_->free_blocks.lower_bound(&wanted);
  Block* block = found != impl_->free_blocks.end() ? *found : impl_->map(rounded);
  if (block == nullptr) return nullptr;
  impl_->free_blocks.erase(block);
  impl_->stats.cached_bytes -= block->bytes;
  const std::size_t before = block->bytes;
  impl_->split(block, rounded);
  impl_->stats.cached_bytes += before - block->bytes;
  block->free = false;
  impl_->live.emplace(block->begin, block);
  HeapStats& stats = impl_->stats;
  ++stats.allocations;
  stats.live_bytes += block->bytes;
  stats.peak_live_bytes = std::max(stats.peak_live_bytes, stats.live_bytes);
  return block->begin;
}

bool CachingHeap::free(void* memory) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->live.find(memory);
  if (found == impl_->live.end()) return false;
  Block* block = found->second;
  impl_->live.erase(found);
  impl_->stats.live_bytes -= block->bytes;
  impl_->stats.cached_bytes += block->bytes;
  if (block->after != nullptr && block->after->free) {
    impl_->free_blocks.erase(block->after);
    Impl::join(block, block->after);
  }
  if (block->before != nullptr && block->before->free) {
    impl_->free_blocks.erase(block->before);
    block = Impl::join(block->before, block);
  }
  block->free = true;
  impl_->free_blocks.insert(block);
  if (impl_->stats.cached_bytes > impl_->max_cached) impl_->release_above(impl_->max_cached);
  return true;
}

void CachingHeap::release_cached() {
  const std::lock_guard lock(impl_->mutex);
  impl_->release_above(0);
}

void CachingHeap::restart_peak() {
  const std::lock_guard lock(impl_->mutex);
  impl_->stats.peak_live_bytes = impl_->stats.live_bytes;
}

HeapStats CachingHeap::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}

}  // namespace mgd
