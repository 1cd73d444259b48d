// Arrays of numbers as bytes: NumPy's .npy and what the other array formats share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

struct NumberArray {
  std::string dtype;                // "u1" "i1" "i2" "u2" "i4" "u4" "i8" "u8" "f4" "f8" "b1"
  std::vector<std::int64_t> shape;  // outermost first; empty = a single number
  std::string bytes;                // little-endian, C order: product(shape) * item_bytes()

  std::int64_t item_bytes() const { return dtype.back() - '0'; }
  std::int64_t count() const;               // product of the shape; 0 for an empty array
  double number(std::int64_t index) const;  // flat index; exact but for integers beyond 2^53
};

// The number of bytes an array of `shape` needs; Error(bad_data) when it overflows or differs from
// `available`.
std::uint64_t checked_array_bytes(const std::string& source, const std::vector<std::int64_t>& shape,
                                  std::uint64_t item_bytes, std::uint64_t available);

// Versions 1.0 to 3.0. `source` starts every message. Throws Error(refused) for object arrays (they hold
// pickles), Error(bad_data) for damage, Fortran order, big-endian and other dtypes. Nothing is allocated
// before the header and the size of `bytes` agree.
NumberArray read_npy(std::string_view bytes, const std::string& source);

}  // namespace mgd
