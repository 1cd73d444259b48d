// The body of Winograd's kernels; one .cpp an instruction set includes it. Lanes are channels.
#pragma once

#include <algorithm>

#include "mgd/kernels/gemm_tile.h"
#include "mgd/kernels/simd.h"
#include "mgd/kernels/winograd.h"

namespace mgd {
namespace {

// The matrices B^T, A, A^T, G and G^T applied to vectors, with what their rows share computed once.
struct InputMatrix {  // B^T
  static constexpr int from = 6, to = 6;
  static void apply(const Vec* d, Vec* r) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const Vec even = d4 - 4.0F * d2, odd = d3 - 4.0F * d1, near = d4 - d2, far = d3 - d1;
    r[0] = 4.0F * d0 + (d4 - 5.0F * d2);
    r[1] = even + odd;
    r[2] = even - odd;
    r[3] = near + 2.0F * far;
    r[4] = near - 2.0F * far;
    r[5] = 4.0F * d1 + (d5 - 5.0F * d3);
  }
};

struct GradMatrix {  // A
  static constexpr int from = 4, to = 6;
  static void apply(const Vec* d, Vec* r) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    const Vec even = d0 + d2, odd = d1 + d3, even2 = d0 + 4.0F * d2, odd2 = 2.0F * d1 + 8.0F * d3;
    r[0] = d0;
    r[1] = even + odd;
    r[2] = even - odd;
    r[3] = even2 + odd2;
    r[4] = even2 - odd2;
    r[5] = d3;
  }
};

struct OutputMatrix {  // A^T
  static constexpr int from = 6, to = 4;
  static void apply(const Vec* d, Vec* r) {
    const Vec d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4];
    const Vec sum = d1 + d2, difference = d1 - d2, sum2 = d3 + d4, difference2 = d3 - d4;
    r[0] = d[0] + sum + sum2;
    r[1] = difference + 2.0F * difference2;
    r[2] = sum + 4.0F * sum2;
    r[3] = difference + 8.0F * difference2 + d[5];
  }
};

struct FilterMatrix {  // G
  static constexpr int from = 3, to = 6;
  static void apply(const Vec* d, Vec* r) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2];
    const Vec ends = (d0 + d2) * (-1.0F / 6), middle = d1 * (1.0F / 6),
              wide = d0 * (1.0F / 24) + d2 * (1.0F / 6), twelfth = d1 * (1.0F / 12);
    r[0] = d0 * 0.25F;
    r[1] = ends - middle;
    r[2] = ends + middle;
    r[3] = wide + twelfth;
    r[4] = wide - twelfth;
    r[5] = d2;
  }
};

struct GradFilterMatrix {  // G^T
  static constexpr int from = 6, to = 3;
  static void apply(const Vec* d, Vec* r) {
    const Vec d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4];
    const Vec sum = d1 + d2, sum2 = d3 + d4;
    r[0] = d[0] * 0.25F - sum * (1.0F / 6) + sum2 * (1.0F / 24);
    r[1] = (d2 - d1) * (1.0F / 6) + (d3 - d4) * (1.0F / 12);
    r[2] = (sum2 - sum) * (1.0F / 6) + d[5];
  }
};

// M d M^T: d[i][j] is load(i, j), and the result goes to store(i, j, value). A column is read when its turn
// comes: the registers hold no more than a few rows.
template <class Matrix, class Load, class Store>
inline void sandwich(const Load& load, const Store& store) {
  Vec half[Matrix::to][Matrix::from];
#pragma GCC unroll 6
  for (int j = 0; j < Matrix::from; ++j) {
    Vec d[Matrix::from], r[Matrix::to];
#pragma GCC unroll 6
    for (int i = 0; i < Matrix::from; ++i) d[i] = load(i, j);
    Matrix::apply(d, r);
#pragma GCC unroll 6
    for (int i = 0; i < Matrix::to; ++i) half[i][j] = r[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < Matrix::to; ++i) {
    Vec r[Matrix::to];
    Matrix::apply(half[i], r);
#pragma GCC unroll 6
    for (int j = 0; j < Matrix::to; ++j) store(i, j, r[j]);
  }
}

// Of `count` columns that are left, which may be none or below: planes are wider than maps.
inline Vec load_some(const float* from, std::int64_t count) {
  if (count >= kLanes) return load_anywhere(from);
  return count > 0 ? load_first(from, count, 0) : Vec{};
}
inline void store_some(float* to, Vec value, std::int64_t count) {
  if (count >= kLanes) return store_anywhere(to, value);
  if (count > 0) store_first(to, count, value);
}

// Where a tile of the batch lies.
struct Place {
  std::int64_t sample, y, x;  // of its first output
  Place(const WinogradMap& m, std::int64_t tile)
      : sample(tile / m.tiles()),
        y(tile % m.tiles() / m.tiles_across() * kWinogradTile),
        x(tile % m.tiles_across() * kWinogradTile) {}
};

// Patches that start `kBefore` above and left of their tile; outside the map is 0.
template <class Matrix, int kBefore>
inline void map_to_planes(const float* maps, const WinogradMap& m, const WinogradTiles& tiles,
                          float* planes) {
  constexpr int kSide = Matrix::from;
  const std::int64_t columns = winograd_columns(m.channels), plane = winograd_plane(tiles.count, m.channels);
  for (std::int64_t t = 0; t < tiles.count; ++t) {
    const Place at(m, tiles.first + t);
    const std::int64_t y0 = at.y - kBefore, x0 = at.x - kBefore, row = m.width * m.channels;
    const float* corner = maps + (at.sample * m.height + y0) * row + x0 * m.channels;  // may lie outside
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + kSide <= m.height && x0 + kSide <= m.width;
    const auto there = [&](int i, int j) {
      return y0 + i >= 0 && y0 + i < m.height && x0 + j >= 0 && x0 + j < m.width;
    };
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      const float* from = corner + c;
      float* to = planes + t * columns + c;
      const auto write = [&](int i, int j, Vec value) { store(to + (i * 6 + j) * plane, value); };
      if (m.channels - c < kLanes)
        sandwich<Matrix>(
            [&](int i, int j) {
              return there(i, j) ? load_some(from + i * row + j * m.channels, m.channels - c) : Vec{};
            },
            write);
      else if (inside)
        sandwich<Matrix>([&](int i, int j) { return load_anywhere(from + i * row + j * m.channels); }, write);
      else
        sandwich<Matrix>(
            [&](int i, int j) {
              return there(i, j) ? load_anywhere(from + i * row + j * m.channels) : Vec{};
            },
            write);
    }
  }
}

void input(const float* maps, const WinogradMap& m, const WinogradTiles& tiles, float* planes) {
  map_to_planes<InputMatrix, 1>(maps, m, tiles, planes);
}

void grad_output(const float* maps, const WinogradMap& m, const WinogradTiles& tiles, float* planes) {
  map_to_planes<GradMatrix, 0>(maps, m, tiles, planes);
}

void output(const float* planes, const WinogradMap& m, const WinogradTiles& tiles, float* maps) {
  const std::int64_t columns = winograd_columns(m.channels), plane = winograd_plane(tiles.count, m.channels);
  for (std::int64_t t = 0; t < tiles.count; ++t) {
    const Place at(m, tiles.first + t);
    const std::int64_t row = m.width * m.channels;
    float* corner = maps + (at.sample * m.height + at.y) * row + at.x * m.channels;
    const std::int64_t high = m.height - at.y, wide = m.width - at.x;
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      const float* from = planes + t * columns + c;
      float* to = corner + c;
      const auto read = [&](int i, int j) { return load(from + (i * 6 + j) * plane); };
      if (high >= kWinogradTile && wide >= kWinogradTile && m.channels - c >= kLanes)
        sandwich<OutputMatrix>(
            read, [&](int i, int j, Vec value) { store_anywhere(to + i * row + j * m.channels, value); });
      else
        sandwich<OutputMatrix>(read, [&](int i, int j, Vec value) {
          if (i < high && j < wide) store_some(to + i * row + j * m.channels, value, m.channels - c);
        });
    }
  }
}

void filter(const float* weight, const WinogradFilter& f, std::int64_t first_row, std::int64_t plane_rows,
            float* planes) {
  const std::int64_t columns = winograd_columns(f.columns), plane = winograd_plane(plane_rows, f.columns);
  for (std::int64_t r = 0; r < f.rows; ++r)
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      const float* from = weight + r * f.row_stride + c;
      float* to = planes + (first_row + r) * columns + c;
      sandwich<FilterMatrix>(
          [&](int i, int j) {
            const int tap = 3 * i + j;
            return load_some(from + (f.flip ? 8 - tap : tap) * f.tap_stride, f.columns - c);
          },
          [&](int i, int j, Vec value) { store(to + (i * 6 + j) * plane, value); });
    }
}

void grad_filter(const float* planes, const WinogradFilter& f, std::int64_t first_row,
                 std::int64_t plane_rows, float* weight) {
  const std::int64_t columns = winograd_columns(f.columns), plane = winograd_plane(plane_rows, f.columns);
  for (std::int64_t r = 0; r < f.rows; ++r)
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      const float* from = planes + (first_row + r) * columns + c;
      float* to = weight + r * f.row_stride + c;
      sandwich<GradFilterMatrix>([&](int i, int j) { return load(from + (i * 6 + j) * plane); },
                                 [&](int i, int j, Vec value) {
                                   store_some(to + (3 * i + j) * f.tap_stride, value, f.columns - c);
                                 });
    }
}

void multiply_planes(const float* from, const float* filter, std::int64_t tiles, std::int64_t depth,
                     std::int64_t width, float* to) {
  const std::int64_t in = winograd_columns(depth), out = winograd_columns(width);
  for (int p = 0; p < kWinogradPlanes; ++p)
    multiply(tiles, out, depth, {from + p * winograd_plane(tiles, depth), in, 1},
             filter + p * winograd_plane(depth, width), out, to + p * winograd_plane(tiles, width), out,
             /*add=*/false);
}

void multiply_transposed(const float* from, const float* grad, std::int64_t tiles, std::int64_t depth,
                         std::int64_t width, float* to) {
  const std::int64_t in = winograd_columns(depth), out = winograd_columns(width);
  multiply(depth, out, tiles, {from, 1, in}, grad, out, to, out, /*add=*/true);
}

}  // namespace
}  // namespace mgd
