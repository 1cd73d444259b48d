// Memory that ran out: how exceptions tell of it, and how much a process has.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace mgd {

// "out of memory: 12582912 bytes were requested; ...", with what is in use and the limit, when the exception
// says that memory ran out: std::bad_alloc, and what LibTorch's allocators and kernels throw, which is no
// type of its own. Bytes stand there when the thrower told them. nullopt for anything else.
std::optional<std::string> memory_shortage(const std::exception& error);

// Whether the limit on the address space (ulimit -v) is nearly reached: what then fails for want of memory
// often does not say so.
bool memory_is_scarce();

std::uint64_t resident_bytes();

std::uint64_t machine_memory_bytes();

// The least of what the machine has, what its control group may use, and the limit on the address space.
std::uint64_t memory_limit_bytes();

// Pages that this process touched for the first time, or again after they were given back.
std::uint64_t page_faults();

}  // namespace mgd
