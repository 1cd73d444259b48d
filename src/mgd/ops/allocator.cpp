#include "mgd/ops/allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <cstring>

#include "mgd/core/error.h"
#include "mgd/core/memory.h"

namespace mgd {

namespace {

// Never destroyed: tensors with static lifetime are freed after everything else.
CachingHeap& heap() {
  static auto* one = new CachingHeap(most_cached_bytes());
  return *one;
}

void free_any(void* memory) {
  if (memory != nullptr && !heap().free(memory)) std::free(memory);
}

class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    constexpr std::size_t kAlignment = 64;
    const c10::Device cpu(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &free_any, cpu};
    void* memory = nullptr;
    if (bytes >= kLeastCachedBytes)
      memory = heap().allocate(bytes);
    else if (posix_memalign(&memory, kAlignment, bytes) != 0)
      memory = nullptr;
    // In the words of LibTorch's own allocator, which others look for too.
    if (memory == nullptr)
      throw std::runtime_error(
          fmt::format("caching allocator: can't allocate memory: you tried to allocate {} bytes", bytes));
    return {memory, memory, &free_any, cpu};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_any; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
};

CachingAllocator& caching() {
  static auto* one = new CachingAllocator;
  return *one;
}

}  // namespace

void use_caching_allocator() {
  c10::SetCPUAllocator(&caching());
}

void use_system_allocator() {
  c10::SetCPUAllocator(c10::GetDefaultCPUAllocator());
}

bool caching_allocator_in_use() {
  return c10::GetCPUAllocator() == &caching();
}

HeapStats allocator_stats() {
  return heap().stats();
}

void restart_allocator_peak() {
  heap().restart_peak();
}

std::uint64_t most_cached_bytes() {
  return memory_limit_bytes() / 2;
}

}  // namespace mgd
