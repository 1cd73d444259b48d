// Rows of numbers as they lie in memory.
#pragma once

#include <cstdint>

namespace mgd {

// Consecutive rows are `stride` elements apart.
template <class T>
struct Rows {
  T* data = nullptr;
  std::int64_t stride = 0;
  T* row(std::int64_t i) const { return data + i * stride; }
};

}  // namespace mgd
