// A heap for large blocks that keeps what is freed: memory comes from the system in segments on huge pages, a
// freed block joins its free neighbours, and the smallest free block that fits is used next. After the first
// steps of a training nothing is mapped any more, and no page is touched for the first time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace mgd {

struct HeapStats {
  std::uint64_t live_bytes = 0;       // handed out
  std::uint64_t peak_live_bytes = 0;  // the most of that since restart_peak()
  std::uint64_t cached_bytes = 0;     // freed and kept
  std::uint64_t allocations = 0;
  std::uint64_t mappings = 0;  // segments taken from the system so far
};

// All members may be called from several threads at once.
class CachingHeap {
 public:
  // Keeps at most `max_cached_bytes` (as far as whole segments are free) of freed memory.
  explicit CachingHeap(std::uint64_t max_cached_bytes);
  ~CachingHeap();  // gives every segment back; nothing may be live
  CachingHeap(const CachingHeap&) = delete;
  CachingHeap& operator=(const CachingHeap&) = delete;

  // A block of at least `bytes` > 0, aligned to 64; nullptr when the system has no more, even after all that
  // was kept has been given back.
  void* allocate(std::size_t bytes);
  // False when the block is none of this heap's: nothing happened.
  bool free(void* block);
  void release_cached();  // whole free segments go back to the system
  void restart_peak();    // peak_live_bytes counts from now on
  HeapStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mgd
