// The body of the masked convolution; one .cpp an instruction set includes it.
//
// Both loops have the same inner product: up to six rows of A, whose elements are broadcast, times a piece of
// B of kPiece x kConvPanel that lies in the first-level cache, added to rows of C that lie anywhere. Sums
// start at 0 in every piece and meet C at its end: two levels of summation, as in gemm_tile.h.
#pragma once

#include "mgd/kernels/conv_units.h"

namespace mgd {
namespace {

// A transposed: unit p of its rows is six neighbours in a panel.
template <class T>
struct PanelColumns {
  const Unit<T>*panel, *next;
  const std::int32_t* offset;
  Unit<T> at(int r, std::int64_t p) const { return panel[offset[p] + r]; }
  void ahead(std::int64_t p) const {
    for (std::int64_t i = p; i < p + kLine; ++i) __builtin_prefetch(next + offset[i]);
  }
};

template <class T, int kRows, int kVecs, class A>
inline void add_block(std::int64_t depth, const A& a, const Unit<T>* b, float* const* c,
                      std::int64_t column) {
  using Units = typename Factor<T>::Units;
  Vec sum[kRows][kVecs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      sum[r][v] = Vec{};
      __builtin_prefetch(c[r] + column + v * kLanes, 1);
    }
  for (std::int64_t p = 0; p < depth; ++p) {
    Units right[kVecs];
    if (p % kLine == 0) a.ahead(p);
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v)
      right[v] = *reinterpret_cast<const Units*>(b + p * kConvPanel + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Units left = a.at(r, p) - Units{};  // in all lanes
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] = Factor<T>::add_product(sum[r][v], left, right[v]);
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

template <class T, int kVecs, class A>
inline void add_rows(int rows, std::int64_t depth, const A& a, const Unit<T>* b, float* const* c,
                     std::int64_t column) {
  switch (rows) {
    case 6:
      return add_block<T, 6, kVecs>(depth, a, b, c, column);
    case 5:
      return add_block<T, 5, kVecs>(depth, a, b, c, column);
    case 4:
      return add_block<T, 4, kVecs>(depth, a, b, c, column);
    case 3:
      return add_block<T, 3, kVecs>(depth, a, b, c, column);
    case 2:
      return add_block<T, 2, kVecs>(depth, a, b, c, column);
    default:
      return add_block<T, 1, kVecs>(depth, a, b, c, column);
  }
}

// C (rows, columns) += A B over `depth` units. A row of C may end with its last column: then a copy of it is
// added to.
template <class T, class A>
inline void add_tile(int rows, std::int64_t depth, const A& a, const Unit<T>* b, float* const* c,
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
    add_rows<T, kTileVecs>(rows, depth, a, b + j, to, j);
  for (; j < whole; j += kLanes) add_rows<T, 1>(rows, depth, a, b + j, to, j);
  if (whole != columns)
    for (int r = 0; r < rows; ++r) std::copy_n(copy[r], columns, c[r]);
}

// The same of a weight whose rows are neighbours; `data` begins with row k0 of the tap.
template <class T>
inline void copy_transposed(const ConvWeight<T>& w, const T* data, std::int64_t depth, std::int64_t n0,
                            std::int64_t columns, Unit<T>* piece) {
  constexpr std::int64_t kValues = Factor<T>::kValues;
  for (std::int64_t j = 0; j < kConvPanel; j += kLanes) {
    const T* line[kLanes] = {};  // columns that are not there stay nullptr
    for (std::int64_t i = 0; i < std::min(kLanes, columns - j); ++i)
      line[i] = data + (w.j_index ? w.j_index[n0 + j + i] : n0 + j + i) * w.j_stride;
    std::int64_t k = 0;
    for (; k + kLanes * kValues <= depth; k += kLanes * kValues)
      transpose_units(line, k, piece + k / kValues * kConvPanel + j);
    for (; k < depth; k += kValues)
      for (std::int64_t i = 0; i < kLanes; ++i)
        piece[k / kValues * kConvPanel + j + i] = Factor<T>::unit(
            line[i] ? line[i] + k : nullptr, line[i] && k + 1 < depth ? line[i] + k + 1 : nullptr);
  }
}

// Rows [k0, k0 + depth) and columns [n0, n0 + columns) of the weight of one tap -> (units, kConvPanel).
template <class T>
inline void copy_weight(const ConvWeight<T>& w, int tap, std::int64_t k0, std::int64_t depth, std::int64_t n0,
                        std::int64_t columns, Unit<T>* piece) {
  const T* data = w.data + tap * w.tap_stride;
  if (w.j_index != nullptr || w.j_stride != 1)
    return copy_transposed(w, data + k0, depth, n0, columns, piece);
  const auto row = [&](std::int64_t k) -> const T* {
    return k < depth ? data + (w.k_index ? w.k_index[k0 + k] : k0 + k) * w.k_stride + n0 : nullptr;
  };
  for (std::int64_t k = 0; k < depth; k += Factor<T>::kValues, piece += kConvPanel)
    copy_columns(row(k), row(k + 1), columns, piece);
}

template <class T>
inline void start_rows(const ConvProduct<T>& p, Rows<float> to, std::int64_t n0, std::int64_t columns) {
  for (std::int64_t i = 0; i < p.to_rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) to.row(i)[j] = p.start ? p.start[n0 + j] : 0;
}

template <class T>
inline void finish_rows(const ConvProduct<T>& p, Rows<float> to, std::int64_t n0, std::int64_t columns) {
  for (std::int64_t i = 0; i < p.to_rows; ++i) {
    float* row = to.row(i);
    if (p.relu)
      for (std::int64_t j = 0; j < columns; ++j) row[j] = row[j] < 0 ? 0 : row[j];  // NaN stays
    if (p.rounded.data == nullptr) continue;
    Bf16* rounded = p.rounded.row(i) + n0;
    for (std::int64_t j = 0; j < columns; ++j) from_float(row[j], rounded[j]);
  }
}

template <class T>
void product(const ConvProduct<T>& p, std::int64_t panel, ConvWork& work) {
  const std::int64_t n0 = panel * kConvPanel, columns = std::min(kConvPanel, p.width - n0);
  alignas(64) Unit<T> piece[kPiece * kConvPanel];
  const Rows<float> to{p.to.data + (p.rounded.data ? 0 : n0), p.to.stride};
  start_rows(p, to, n0, columns);
  for (std::int64_t k0 = 0; k0 < p.depth; k0 += kPieceDepthOf<T>) {
    const std::int64_t depth = std::min(kPieceDepthOf<T>, p.depth - k0);
    for (int tap = 0; tap < kConvTaps; ++tap) {
      const std::int64_t end = p.begin[tap + 1];
      if (p.begin[tap] == end) continue;
      copy_weight(p.weight, tap, k0, depth, n0, columns, piece);
      for (std::int64_t pair = p.begin[tap]; pair < end; pair += kTileRows) {
        const int rows = static_cast<int>(std::min<std::int64_t>(kTileRows, end - pair));
        ScatteredRows<T> a;
        float* c[kTileRows];
        for (int r = 0; r < rows; ++r) {
          a.take(r, p.from.row(p.from_row[pair + r]) + k0, depth);
          a.next[r] = p.from.row(p.from_row[std::min(pair + kTileRows + r, end - 1)]) + k0;
          c[r] = to.row(p.to_row[pair + r]);
        }
        add_tile<T>(rows, units_of<T>(depth), a, piece, c, columns);
      }
      work.macs += (end - p.begin[tap]) * depth * columns;
    }
  }
  finish_rows(p, to, n0, columns);
}

// What a tap adds to the gradient, kPiece units at most: the rows of the output's gradient, copied, and where
// the units of the input that they meet begin in a panel. An input row of a unit that meets nothing at this
// tap meets zeros.
template <class T>
struct GradientPiece {
  alignas(64) Unit<T> rows[kPiece * kConvPanel];
  std::int32_t offset[kPiece] = {};
  std::int64_t units = 0;

  // Takes pairs from `pair` on; returns the first that has no room.
  std::int64_t fill(const ConvWeightGradient<T>& p, std::int64_t pair, std::int64_t end, std::int64_t n0,
                    std::int64_t columns) {
    constexpr std::int32_t kValues = Factor<T>::kValues;
    for (units = 0; units < kPiece && pair < end; ++units) {
      const std::int32_t unit = p.pairs.input[pair] / kValues;
      const T* row[2] = {};
      for (; pair < end && p.pairs.input[pair] / kValues == unit; ++pair)
        row[p.pairs.input[pair] % kValues] = p.grad_output.row(p.pairs.output[pair]) + n0;
      copy_columns(row[0], row[1], columns, rows + units * kConvPanel);
      offset[units] = unit * kTileRows;
    }
    return pair;
  }
};

// Rows of the output's gradient that the next piece copies, a few with every tile of this one.
template <class T>
struct RowsAhead {
  const ConvWeightGradient<T>& p;
  std::int64_t pair, end, n0, share;

  RowsAhead(const ConvWeightGradient<T>& gradient, std::int64_t first, std::int64_t last, std::int64_t column)
      : p(gradient),
        pair(first),
        end(std::min(last, first + kPieceDepthOf<T>)),
        n0(column),
        share(kPieceDepthOf<T> * kTileRows / std::max<std::int64_t>(p.depth, 1) + 1) {}

  void fetch_share() {
    constexpr std::int64_t kLineValues = kLine * Factor<T>::kValues;
    for (const std::int64_t stop = std::min(end, pair + share); pair < stop; ++pair)
      for (std::int64_t j = 0; j < kConvPanel; j += kLineValues)
        __builtin_prefetch(p.grad_output.row(p.pairs.output[pair]) + n0 + j, 0, 2);
  }
};

template <class T>
void weight_gradient(const ConvWeightGradient<T>& p, int tap, std::int64_t panel, ConvWork& work) {
  const std::int64_t n0 = panel * kConvPanel, columns = std::min(kConvPanel, p.width - n0);
  const std::int64_t end = p.pairs.begin[tap + 1], units = units_of<T>(p.rows);
  const auto* panels = static_cast<const Unit<T>*>(p.panels);
  GradientPiece<T> piece;
  for (std::int64_t pair = p.pairs.begin[tap]; pair < end;) {
    pair = piece.fill(p, pair, end, n0, columns);
    RowsAhead<T> ahead(p, pair, end, n0);
    for (std::int64_t m = 0; m < p.depth; m += kTileRows) {
      const int rows = static_cast<int>(std::min<std::int64_t>(kTileRows, p.depth - m));
      float* c[kTileRows];
      for (int r = 0; r < rows; ++r)
        c[r] = p.grad.row(tap * p.tap_rows + (p.channels ? p.channels[m + r] : m + r) * p.channel_rows) + n0;
      ahead.fetch_share();
      const PanelColumns<T> a{panels + m * units, panels + (m + kTileRows) * units, piece.offset};
      add_tile<T>(rows, piece.units, a, piece.rows, c, columns);
    }
  }
  work.macs += (end - p.pairs.begin[tap]) * p.depth * columns;
}

template <class T>
MaskedConvKernel<T> conv_kernel() {
  return {product<T>, pack<T>, weight_gradient<T>};
}

}  // namespace
}  // namespace mgd
