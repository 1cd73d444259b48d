// Memory that several threads and processes share without a lock: copied word by word, with a checksum that
// tells whether the copy is whole.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mgd {

// Both copy `count` words and give the checksum of (seed, words), which is never 0. One side is shared, the
// other is the caller's own. Every step is a bijection of the state for a given word, so a change within one
// word is always seen, whatever its bits; any other is missed once in 2^63.
std::uint64_t copy_from_shared(const std::uint64_t* shared, std::uint64_t* own, std::size_t count,
                               std::uint64_t seed);
std::uint64_t copy_to_shared(const std::uint64_t* own, std::uint64_t* shared, std::size_t count,
                             std::uint64_t seed);

// The same checksum of plain memory. Bytes that fill no word count as if zeros followed.
std::uint64_t checksum_of(const void* bytes, std::size_t size, std::uint64_t seed);

}  // namespace mgd
