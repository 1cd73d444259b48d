// C (m, n) (+)= A (m, depth) . B (depth, n) on small aligned row-major tiles, A with any strides: a
// transposed A costs nothing, since its elements are broadcast. The building block of attention.
#pragma once

#include "mgd/kernels/simd.h"

namespace mgd {
namespace {

struct TileA {
  const float* data;
  std::int64_t row, column;  // strides
};

// Sums start at 0 and meet C at the end: two levels of summation, whose error grows more slowly than that of
// one. Accumulators fill the registers: 24 of 32 with AVX-512, 12 of 16 otherwise, which leaves one for the
// broadcast; a narrow product has more rows of them, because a dozen sums at least must be under way to hide
// what an addition takes.
#if defined(__AVX512F__)
constexpr int kTileVecs = 4;
#else
constexpr int kTileVecs = 2;
#endif
constexpr int kTileRows = 6, kTileSums = kTileRows * kTileVecs;
constexpr std::int64_t kPieceDepth = 64;

template <int kRows, int kVecs>
inline void multiply_block(std::int64_t depth, TileA a, const float* b, std::int64_t b_row, float* c,
                           std::int64_t c_row, bool add) {
  Vec sum[kRows][kVecs];
#pragma GCC unroll 24
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) sum[r][v] = Vec{};
  for (std::int64_t p = 0; p < depth; ++p) {
    Vec right[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) right[v] = load(b + p * b_row + v * kLanes);
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r) {
      const Vec left = all(a.data[r * a.row + p * a.column]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] += left * right[v];
    }
  }
#pragma GCC unroll 24
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v)
      store(c + r * c_row + v * kLanes, add ? load(c + r * c_row + v * kLanes) + sum[r][v] : sum[r][v]);
}

// Rows in blocks of kRows, the rest in ever smaller ones.
template <int kRows, int kVecs>
inline void multiply_columns(std::int64_t m, std::int64_t depth, TileA a, const float* b, std::int64_t b_row,
                             float* c, std::int64_t c_row, bool add) {
  for (; m >= kRows; m -= kRows) {
    multiply_block<kRows, kVecs>(depth, a, b, b_row, c, c_row, add);
    a.data += kRows * a.row;
    c += kRows * c_row;
  }
  if constexpr (kRows > 1) {
    constexpr int kFewer = kRows % 3 == 0 ? kRows / 3 * 2 : kRows / 2;
    if (m > 0) multiply_columns<kFewer, kVecs>(m, depth, a, b, b_row, c, c_row, add);
  }
}

// n is a multiple of kLanes. Depth goes in pieces, for the sake of the two levels.
inline void multiply(std::int64_t m, std::int64_t n, std::int64_t depth, TileA a, const float* b,
                     std::int64_t b_row, float* c, std::int64_t c_row, bool add) {
  for (; depth > 0;
       depth -= kPieceDepth, a.data += kPieceDepth * a.column, b += kPieceDepth * b_row, add = true) {
    const std::int64_t piece = depth < kPieceDepth ? depth : kPieceDepth;
    std::int64_t j = 0;
    for (; j + kTileVecs * kLanes <= n; j += kTileVecs * kLanes)
      multiply_columns<kTileSums / kTileVecs, kTileVecs>(m, piece, a, b + j, b_row, c + j, c_row, add);
    if (kTileVecs > 2 && j + 2 * kLanes <= n) {
      multiply_columns<kTileSums / 2, 2>(m, piece, a, b + j, b_row, c + j, c_row, add);
      j += 2 * kLanes;
    }
    if (j < n) multiply_columns<kTileSums, 1>(m, piece, a, b + j, b_row, c + j, c_row, add);
  }
}

// The same, adding, and A's exact zeros skip what they would multiply: 0 * NaN must not become NaN where a 0
// means hidden.
inline void multiply_skipping_zeros(std::int64_t m, std::int64_t n, std::int64_t depth, TileA a,
                                    const float* b, std::int64_t b_row, float* c, std::int64_t c_row) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t p = 0; p < depth; ++p) {
      const float left = a.data[i * a.row + p * a.column];
      if (left == 0) continue;
      for (std::int64_t j = 0; j < n; ++j) c[i * c_row + j] += left * b[p * b_row + j];
    }
}

}  // namespace
}  // namespace mgd
