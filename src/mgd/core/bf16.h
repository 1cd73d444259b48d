// bfloat16 as it lies in memory, and its conversions. These have internal linkage, because files that are
// compiled for other instruction sets include them.
#pragma once

#include <cstdint>

namespace mgd {

struct Bf16 {
  std::uint16_t bits;
};

namespace {

inline float to_float(float x) {
  return x;
}
inline float to_float(Bf16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
inline void from_float(float x, float& to) {
  to = x;
}
inline void from_float(float x, Bf16& to) {  // round to nearest even
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  to.bits = static_cast<std::uint16_t>(x != x ? 0x7FC0U : (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace
}  // namespace mgd
