// LibTorch's CPU tensors on a heap that keeps what is freed (core/caching_heap.h).
//
// The allocator of LibTorch is one of the whole process, and so is this switch. A tensor is freed by the
// allocator that made it, so switching is possible at any time.
#pragma once

#include "mgd/core/caching_heap.h"

namespace mgd {

// Small tensors stay with malloc: there are many, and they cost no page.
constexpr std::size_t kLeastCachedBytes = 16 * 1024;

void use_caching_allocator();
void use_system_allocator();
bool caching_allocator_in_use();

// Of the caching allocator, whether in use or not.
HeapStats allocator_stats();
void restart_allocator_peak();

// How much freed memory it keeps at most: half of what the machine, or the group of processes, may use.
std::uint64_t most_cached_bytes();

}  // namespace mgd
