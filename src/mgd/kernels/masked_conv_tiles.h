// The body of the masked convolution; one .cpp an instruction set includes it.
//
// Both loops have the same inner product: up to six rows of A, whose elements are broadcast, times a piece of
// B of kPiece x kConvPanel that lies in the first-level cache, added to rows of C that lie anywhere. Sums
// start at 0 in every piece and meet C at its end: two levels of summation, as in gemm_tile.h.
#pragma once

#include <algorithm>

#include "mgd/kernels/gemm_tile.h"
#include "mgd/kernels/masked_conv.h"

namespace mgd {
namespace {

constexpr std::int64_t kPiece = 128;

// A by rows that lie anywhere.
struct ScatteredRows {
  const float* row[kTileRows];
  float at(int r, std::int64_t p) const { return row[r][p]; }
  void ahead(std::int64_t) const {}
};

// A transposed: element p of its rows is six neighbours in a panel.
struct PanelColumns {
  const float *panel, *next;
  const std::int32_t* offset;
  float at(int r, std::int64_t p) const { return panel[offset[p] + r]; }
  void ahead(std::int64_t p) const { __builtin_prefetch(next + offset[p]); }
};

template <int kRows, int kVecs, class A>
inline void add_block(std::int64_t depth, const A& a, const float* b, float* const* c, std::int64_t column) {
  Vec sum[kRows][kVecs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      sum[r][v] = Vec{};
      __builtin_prefetch(c[r] + column + v * kLanes, 1);
    }
  for (std::int64_t p = 0; p < depth; ++p) {
    Vec right[kVecs];
    a.ahead(p);
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) right[v] = load(b + p * kConvPanel + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec left = all(a.at(r, p));
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] += left * right[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      float* to = c[r] + column + v * kLanes;
      store_anywhere(to, load_anywhere(to) + sum[r][v]);
    }
}

template <int kVecs, class A>
inline void add_rows(int rows, std::int64_t depth, const A& a, const float* b, float* const* c,
                     std::int64_t column) {
  switch (rows) {
    case 6:
      return add_block<6, kVecs>(depth, a, b, c, column);
    case 5:
      return add_block<5, kVecs>(depth, a, b, c, column);
    case 4:
      return add_block<4, kVecs>(depth, a, b, c, column);
    case 3:
      return add_block<3, kVecs>(depth, a, b, c, column);
    case 2:
      return add_block<2, kVecs>(depth, a, b, c, column);
    default:
      return add_block<1, kVecs>(depth, a, b, c, column);
  }
}

// C (rows, columns) += A B. A row of C may end with its last column: then a copy of it is added to.
template <class A>
inline void add_tile(int rows, std::int64_t depth, const A& a, const float* b, float* const* c,
                     std::int64_t columns) {
  alignas(64) float copy[kTileRows][kConvPanel];
  float* to[kTileRows];
  const std::int64_t whole = (columns + kLanes - 1) / kLanes * kLanes;
  for (int r = 0; r < rows; ++r) {
    to[r] = whole == columns ? c[r] : copy[r];
    if (whole != columns) std::copy_n(c[r], columns, copy[r]);
  }
  std::int64_t j = 0;
  for (; j + kTileVecs * kLanes <= whole; j += kTileVecs * kLanes)
    add_rows<kTileVecs>(rows, depth, a, b + j, to, j);
  for (; j < whole; j += kLanes) add_rows<1>(rows, depth, a, b + j, to, j);
  if (whole != columns)
    for (int r = 0; r < rows; ++r) std::copy_n(copy[r], columns, c[r]);
}

// Most rows are whole panels, for which a call of memmove costs more than the copy.
inline void copy_columns(const float* from, std::int64_t columns, float* to) {
  if (columns != kConvPanel) {
    std::copy_n(from, columns, to);
    return;
  }
  for (std::int64_t j = 0; j < kConvPanel; j += kLanes) store_anywhere(to + j, load_anywhere(from + j));
}

// Rows [k0, k0 + depth) and columns [n0, n0 + columns) of the weight of one tap -> (depth, kConvPanel).
inline void copy_weight(const ConvWeight& w, int tap, std::int64_t k0, std::int64_t depth, std::int64_t n0,
                        std::int64_t columns, float* piece) {
  const float* data = w.data + tap * w.tap_stride;
  for (std::int64_t p = 0; p < depth; ++p, piece += kConvPanel) {
    const float* row = data + (w.k_index ? w.k_index[k0 + p] : k0 + p) * w.k_stride;
    if (w.j_index != nullptr)
      for (std::int64_t j = 0; j < columns; ++j) piece[j] = row[w.j_index[n0 + j] * w.j_stride];
    else if (w.j_stride == 1)
      copy_columns(row + n0, columns, piece);
    else
      for (std::int64_t j = 0; j < columns; ++j) piece[j] = row[(n0 + j) * w.j_stride];
    for (std::int64_t j = columns; j < kConvPanel; ++j) piece[j] = 0;
  }
}

inline void start_rows(const ConvProduct& p, std::int64_t n0, std::int64_t columns) {
  for (std::int64_t i = 0; i < p.to_rows; ++i) {
    float* row = p.to.row(i) + n0;
    if (p.start != nullptr)
      copy_columns(p.start + n0, columns, row);
    else
      for (std::int64_t j = 0; j < columns; ++j) row[j] = 0;
  }
}

inline void relu_rows(const ConvProduct& p, std::int64_t n0, std::int64_t columns) {
  for (std::int64_t i = 0; i < p.to_rows; ++i) {
    float* row = p.to.row(i) + n0;
    for (std::int64_t j = 0; j < columns; ++j) row[j] = row[j] < 0 ? 0 : row[j];  // NaN stays
  }
}

inline void product(const ConvProduct& p, std::int64_t panel, ConvWork& work) {
  const std::int64_t n0 = panel * kConvPanel, columns = std::min(kConvPanel, p.width - n0);
  alignas(64) float piece[kPiece * kConvPanel];
  start_rows(p, n0, columns);
  for (std::int64_t k0 = 0; k0 < p.depth; k0 += kPiece) {
    const std::int64_t depth = std::min(kPiece, p.depth - k0);
    for (int tap = 0; tap < kConvTaps; ++tap) {
      const std::int64_t end = p.begin[tap + 1];
      if (p.begin[tap] == end) continue;
      copy_weight(p.weight, tap, k0, depth, n0, columns, piece);
      for (std::int64_t pair = p.begin[tap]; pair < end; pair += kTileRows) {
        const int rows = static_cast<int>(std::min<std::int64_t>(kTileRows, end - pair));
        ScatteredRows a;
        float* c[kTileRows];
        for (int r = 0; r < rows; ++r) {
          a.row[r] = p.from.row(p.from_row[pair + r]) + k0;
          c[r] = p.to.row(p.to_row[pair + r]) + n0;
        }
        add_tile(rows, depth, a, piece, c, columns);
      }
      work.macs += (end - p.begin[tap]) * depth * columns;
    }
  }
  if (p.relu) relu_rows(p, n0, columns);
}

inline void weight_gradient(const ConvWeightGradient& p, int tap, std::int64_t panel, ConvWork& work) {
  const std::int64_t n0 = panel * kConvPanel, columns = std::min(kConvPanel, p.width - n0);
  const std::int64_t end = p.pairs.begin[tap + 1];
  alignas(64) float piece[kPiece * kConvPanel];
  std::int32_t offset[kPiece];
  for (std::int64_t k0 = p.pairs.begin[tap]; k0 < end; k0 += kPiece) {
    const std::int64_t depth = std::min(kPiece, end - k0);
    for (std::int64_t i = 0; i < depth; ++i) {
      float* to = piece + i * kConvPanel;
      copy_columns(p.grad_output.row(p.pairs.output[k0 + i]) + n0, columns, to);
      for (std::int64_t j = columns; j < kConvPanel; ++j) to[j] = 0;
      offset[i] = p.pairs.input[k0 + i] * kTileRows;
    }
    for (std::int64_t m = 0; m < p.depth; m += kTileRows) {
      const int rows = static_cast<int>(std::min<std::int64_t>(kTileRows, p.depth - m));
      float* c[kTileRows];
      for (int r = 0; r < rows; ++r)
        c[r] = p.grad.row(tap * p.channels_in + (p.channels ? p.channels[m + r] : m + r)) + n0;
      add_tile(rows, depth, PanelColumns{p.panels + m * p.rows, p.panels + (m + kTileRows) * p.rows, offset},
               piece, c, columns);
    }
  }
  work.macs += (end - p.pairs.begin[tap]) * p.depth * columns;
}

}  // namespace
}  // namespace mgd
