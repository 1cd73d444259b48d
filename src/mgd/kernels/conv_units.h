// What the inner product of the masked convolution takes at once, 32 bits of each factor: a float, or two
// bfloat16 that are neighbours in the sum, where there is an instruction for their products. Elsewhere a
// bfloat16 is widened when it is copied, and the float loops do the rest.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "mgd/kernels/gemm_tile.h"
#include "mgd/kernels/masked_conv.h"
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace mgd {
namespace {

constexpr std::int64_t kPiece = 128;  // units of a sum that are multiplied at a time
constexpr std::int64_t kLine = 16;    // units in a line of the cache

template <class T>
struct Factor {
  using Unit = float;
  using Units = Vec;
  static constexpr std::int64_t kValues = 1;  // of T in a unit
  static Vec add_product(Vec sum, Vec a, Vec b) { return sum + a * b; }
  // The second of a pair; a nullptr stands for 0.
  static float unit(const T* value, const T*) { return value ? to_float(*value) : 0.0F; }
};

// Rows of the next tile, fetched while this one is multiplied.
template <class T>
struct NextRows {
  const T* next[kTileRows];
  void ahead(std::int64_t p) const {
    for (int r = 0; r < kTileRows; ++r) __builtin_prefetch(next[r] + p * Factor<T>::kValues);
  }
};

// Up to six rows of A that lie anywhere.
template <class T>
struct ScatteredRows : NextRows<T> {
  const T* row[kTileRows];
  void take(int r, const T* from, std::int64_t) { row[r] = from; }
  T at(int r, std::int64_t p) const { return row[r][p]; }
};

#if defined(__AVX512BF16__)

template <>
struct Factor<Bf16> {
  using Unit = std::int32_t;
  using Units = VecInt;
  static constexpr std::int64_t kValues = 2;
  static Vec add_product(Vec sum, VecInt a, VecInt b) {
    return reinterpret_cast<Vec>(_mm512_dpbf16_ps(
        reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
  }
  static std::int32_t unit(const Bf16* first, const Bf16* second) {
    const std::uint32_t low = first ? first->bits : 0U, high = second ? second->bits : 0U;
    return static_cast<std::int32_t>(low | high << 16);
  }
};

template <>
struct ScatteredRows<Bf16> : NextRows<Bf16> {
  const Bf16* row[kTileRows];
  Bf16 even[kTileRows][2 * kPiece];  // copies of rows that end with half a pair
  void take(int r, const Bf16* from, std::int64_t depth) {
    row[r] = from;
    if (depth % 2 == 0) return;
    std::copy_n(from, depth, even[r]);
    even[r][depth] = {};
    row[r] = even[r];
  }
  std::int32_t at(int r, std::int64_t p) const {
    std::int32_t pair;
    std::memcpy(&pair, row[r] + 2 * p, sizeof pair);
    return pair;
  }
};

// Two rows, of which a nullptr is one of zeros -> a row of kConvPanel units, zeros after the last column.
inline void copy_columns(const Bf16* first, const Bf16* second, std::int64_t columns, std::int32_t* to) {
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7,
                                       38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  const auto half = [columns](const Bf16* row, std::int64_t j) {
    const std::int64_t count = std::min<std::int64_t>(columns - j, 32);
    if (row == nullptr || count <= 0) return _mm512_setzero_si512();
    return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((std::uint64_t{1} << count) - 1), row + j);
  };
  for (std::int64_t j = 0; j < kConvPanel; j += 32) {
    const __m512i a = half(first, j), b = half(second, j);
    _mm512_store_si512(to + j, _mm512_permutex2var_epi16(a, low, b));
    _mm512_store_si512(to + j + 16, _mm512_permutex2var_epi16(a, high, b));
  }
}

#else

template <>
struct ScatteredRows<Bf16> : NextRows<Bf16> {
  alignas(64) float wide[kTileRows][kPiece];
  void take(int r, const Bf16* from, std::int64_t depth) {
    for (std::int64_t p = 0; p < depth; ++p) wide[r][p] = to_float(from[p]);
  }
  float at(int r, std::int64_t p) const { return wide[r][p]; }
};

inline void copy_columns(const Bf16* from, const Bf16*, std::int64_t columns, float* to) {
  for (std::int64_t j = 0; j < columns; ++j) to[j] = to_float(from[j]);
  for (std::int64_t j = columns; j < kConvPanel; ++j) to[j] = 0;
}

#endif

// Most rows are whole panels, for which a call of memmove costs more than the copy.
inline void copy_columns(const float* from, const float*, std::int64_t columns, float* to) {
  if (columns != kConvPanel) {
    std::fill(std::copy_n(from, columns, to), to + kConvPanel, 0.0F);
    return;
  }
  for (std::int64_t j = 0; j < kConvPanel; j += kLanes) store_anywhere(to + j, load_anywhere(from + j));
}

template <class T>
using Unit = typename Factor<T>::Unit;

template <class T>
constexpr std::int64_t kPieceDepthOf = kPiece* Factor<T>::kValues;

template <class T>
constexpr std::int64_t units_of(std::int64_t values) {
  return (values + Factor<T>::kValues - 1) / Factor<T>::kValues;
}

// The lower or upper halves of two vectors, one element of each in turn.
template <int kFrom, int... kAt>
inline VecInt interleave(VecInt a, VecInt b, std::integer_sequence<int, kAt...>) {
  return __builtin_shufflevector(a, b, (kFrom + kAt / 2 + kAt % 2 * static_cast<int>(kLanes))...);
}

// Units [k, k + kLanes) of kLanes lines, of which a nullptr is one of zeros -> rows of a piece. Interleaving
// the first half of the lines with the second is a rotation of the bits of a place; as many times as a line's
// number has bits, it exchanges line and unit.
template <class T>
inline void transpose_units(const T* const* line, std::int64_t k, Unit<T>* piece) {
  constexpr auto kAll = std::make_integer_sequence<int, static_cast<int>(kLanes)>();
  VecInt from[kLanes], to[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) {
    from[i] = VecInt{};
    if (line[i] == nullptr) continue;
    if constexpr (sizeof(T) * Factor<T>::kValues == sizeof(Unit<T>)) {
      std::memcpy(&from[i], line[i] + k, sizeof from[i]);
    } else {
      float wide[kLanes];
      for (std::int64_t p = 0; p < kLanes; ++p) wide[p] = to_float(line[i][k + p]);
      std::memcpy(&from[i], wide, sizeof wide);
    }
  }
  for (std::int64_t bit = 1; bit < kLanes; bit *= 2) {
    for (std::int64_t i = 0; i < kLanes / 2; ++i) {
      to[2 * i] = interleave<0>(from[i], from[i + kLanes / 2], kAll);
      to[2 * i + 1] = interleave<static_cast<int>(kLanes) / 2>(from[i], from[i + kLanes / 2], kAll);
    }
    std::copy_n(to, kLanes, from);
  }
  for (std::int64_t i = 0; i < kLanes; ++i) std::memcpy(piece + i * kConvPanel, &from[i], sizeof from[i]);
}

// (rows, depth) -> panels of six columns, (depth / 6 rounded up, units of the rows, 6), zeros after the last
// column and row.
template <class T>
void pack(const T* compact, std::int64_t rows, std::int64_t depth, void* panels) {
  constexpr std::int64_t kValues = Factor<T>::kValues;
  const std::int64_t units = units_of<T>(rows);
  for (std::int64_t i = 0; i < units; ++i, compact += kValues * depth) {
    const T* second = i * kValues + 1 < rows ? compact + depth : nullptr;
    for (std::int64_t m = 0; m < depth; m += kTileRows) {
      Unit<T>* to = static_cast<Unit<T>*>(panels) + m * units + i * kTileRows;
      const std::int64_t columns = std::min<std::int64_t>(kTileRows, depth - m);
      for (std::int64_t c = 0; c < columns; ++c)
        to[c] = Factor<T>::unit(compact + m + c, second ? second + m + c : nullptr);
      for (std::int64_t c = columns; c < kTileRows; ++c) to[c] = 0;
    }
  }
}

}  // namespace
}  // namespace mgd
