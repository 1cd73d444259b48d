// gzip, unpacked in memory with a bound.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mgd {

inline bool is_gzip(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b");
}

// All members. Throws Error(bad_data) for damage, truncation, or more than `max_bytes`; memory grows with
// what is really unpacked.
std::string gunzip(std::string_view bytes, const std::string& source,
                   std::uint64_t max_bytes = std::uint64_t{4} << 30);

}  // namespace mgd
