// How much memory this process could still take.
#pragma once

#include <cstdint>

namespace mgd {

// The least of what the machine has free or can free at once (MemAvailable), what is left of its control
// group's limit, and what is left of the limit on the address space.
std::uint64_t free_memory_bytes();

}  // namespace mgd
