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
  static void apply(const Vec* d, int stride, Vec* r, int to_stride) {
    const Vec d0 = d[0], d1 = d[stride], d2 = d[2 * stride], d3 = d[3 * stride], d4 = d[4 * stride],
              d5 = d[5 * stride];
    const Vec even = d4 - 4.0F * d2, odd = d3 - 4.0F * d1, near = d4 - d2, far = d3 - d1;
    r[0] = 4.0F * d0 + (d4 - 5.0F * d2);
    r[to_stride] = even + odd;
    r[2 * to_stride] = even - odd;
    r[3 * to_stride] = near + 2.0F * far;
    r[4 * to_stride] = near - 2.0F * far;
    r[5 * to_stride] = 4.0F * d1 + (d5 - 5.0F * d3);
  }
};

struct GradMatrix {  // A
  static constexpr int from = 4, to = 6;
  static void apply(const Vec* d, int stride, Vec* r, int to_stride) {
    const Vec d0 = d[0], d1 = d[stride], d2 = d[2 * stride], d3 = d[3 * stride];
    const Vec even = d0 + d2, odd = d1 + d3, even2 = d0 + 4.0F * d2, odd2 = 2.0F * d1 + 8.0F * d3;
    r[0] = d0;
    r[to_stride] = even + odd;
    r[2 * to_stride] = even - odd;
    r[3 * to_stride] = even2 + odd2;
    r[4 * to_stride] = even2 - odd2;
    r[5 * to_stride] = d3;
  }
};

struct OutputMatrix {  // A^T
  static constexpr int from = 6, to = 4;
  static void apply(const Vec* d, int stride, Vec* r, int to_stride) {
    const Vec d1 = d[stride], d2 = d[2 * stride], d3 = d[3 * stride], d4 = d[4 * stride];
    const Vec sum = d1 + d2, difference = d1 - d2, sum2 = d3 + d4, difference2 = d3 - d4;
    r[0] = d[0] + sum + sum2;
    r[to_stride] = difference + 2.0F * difference2;
    r[2 * to_stride] = sum + 4.0F * sum2;
    r[3 * to_stride] = difference + 8.0F * difference2 + d[5 * stride];
  }
};

struct FilterMatrix {  // G
  static constexpr int from = 3, to = 6;
  static void apply(const Vec* d, int stride, Vec* r, int to_stride) {
    const Vec d0 = d[0], d1 = d[stride], d2 = d[2 * stride];
    const Vec ends = (d0 + d2) * (-1.0F / 6), middle = d1 * (1.0F / 6),
              wide = d0 * (1.0F / 24) + d2 * (1.0F / 6), twelfth = d1 * (1.0F / 12);
    r[0] = d0 * 0.25F;
    r[to_stride] = ends - middle;
    r[2 * to_stride] = ends + middle;
    r[3 * to_stride] = wide + twelfth;
    r[4 * to_stride] = wide - twelfth;
    r[5 * to_stride] = d2;
  }
};

struct GradFilterMatrix {  // G^T
  static constexpr int from = 6, to = 3;
  static void apply(const Vec* d, int stride, Vec* r, int to_stride) {
    const Vec d1 = d[stride], d2 = d[2 * stride], d3 = d[3 * stride], d4 = d[4 * stride];
    const Vec sum = d1 + d2, sum2 = d3 + d4;
    r[0] = d[0] * 0.25F - sum * (1.0F / 6) + sum2 * (1.0F / 24);
    r[to_stride] = (d2 - d1) * (1.0F / 6) + (d3 - d4) * (1.0F / 12);
    r[2 * to_stride] = (sum2 - sum) * (1.0F / 6) + d[5 * stride];
  }
};

// result (to, to) = M d M^T of d (from, from).
template <class Matrix>
inline void sandwich(const Vec* d, Vec* result) {
  Vec half[Matrix::to * Matrix::from];
#pragma GCC unroll 6
  for (int j = 0; j < Matrix::from; ++j) Matrix::apply(d + j, Matrix::from, half + j, Matrix::from);
#pragma GCC unroll 6
  for (int i = 0; i < Matrix::to; ++i) Matrix::apply(half + i * Matrix::from, 1, result + i * Matrix::to, 1);
}

inline Vec load_some(const float* from, std::int64_t count) {
  if (count >= kLanes) return load_anywhere(from);
  Vec v{};
  for (std::int64_t i = 0; i < count; ++i) v[i] = from[i];
  return v;
}
inline void store_some(float* to, Vec value, std::int64_t count) {
  if (count >= kLanes) return store_anywhere(to, value);
  for (std::int64_t i = 0; i < count; ++i) to[i] = value[i];
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
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      Vec patch[kSide * kSide], result[kWinogradPlanes];
      if (inside && m.channels - c >= kLanes) {
#pragma GCC unroll 6
        for (int i = 0; i < kSide; ++i)
#pragma GCC unroll 6
          for (int j = 0; j < kSide; ++j)
            patch[i * kSide + j] = load_anywhere(corner + i * row + j * m.channels + c);
      } else {
        for (int i = 0; i < kSide; ++i)
          for (int j = 0; j < kSide; ++j) {
            const bool there = y0 + i >= 0 && y0 + i < m.height && x0 + j >= 0 && x0 + j < m.width;
            patch[i * kSide + j] =
                there ? load_some(corner + i * row + j * m.channels + c, m.channels - c) : Vec{};
          }
      }
      sandwich<Matrix>(patch, result);
      float* to = planes + t * columns + c;
#pragma GCC unroll 36
      for (int p = 0; p < kWinogradPlanes; ++p) store(to + p * plane, result[p]);
    }
  }
}

void input(const float* maps, const WinogradMap& m, const WinogradTiles& tiles, float* planes) {
  map_to_planes<InputMatrix, 1>(maps, m, tiles, planes);
}

void grad_output(const float* maps, const WinogradMap& m, const WinogradTiles& tiles, float* planes) {
  map_to_planes<GradMatrix, 0>(maps, m, tiles, planes);
}

inline void load_planes(const float* from, std::int64_t plane, Vec* values) {
#pragma GCC unroll 36
  for (int p = 0; p < kWinogradPlanes; ++p) values[p] = load(from + p * plane);
}

void output(const float* planes, const WinogradMap& m, const WinogradTiles& tiles, float* maps) {
  const std::int64_t columns = winograd_columns(m.channels), plane = winograd_plane(tiles.count, m.channels);
  for (std::int64_t t = 0; t < tiles.count; ++t) {
    const Place at(m, tiles.first + t);
    const std::int64_t row = m.width * m.channels;
    float* corner = maps + (at.sample * m.height + at.y) * row + at.x * m.channels;
    const std::int64_t high = std::min(kWinogradTile, m.height - at.y),
                       wide = std::min(kWinogradTile, m.width - at.x);
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      Vec values[kWinogradPlanes], result[kWinogradTile * kWinogradTile];
      load_planes(planes + t * columns + c, plane, values);
      sandwich<OutputMatrix>(values, result);
      if (high == kWinogradTile && wide == kWinogradTile && m.channels - c >= kLanes) {
#pragma GCC unroll 4
        for (int i = 0; i < kWinogradTile; ++i)
#pragma GCC unroll 4
          for (int j = 0; j < kWinogradTile; ++j)
            store_anywhere(corner + i * row + j * m.channels + c, result[i * kWinogradTile + j]);
      } else {
        for (std::int64_t i = 0; i < high; ++i)
          for (std::int64_t j = 0; j < wide; ++j)
            store_some(corner + i * row + j * m.channels + c, result[i * kWinogradTile + j], m.channels - c);
      }
    }
  }
}

void filter(const float* weight, const WinogradFilter& f, std::int64_t first_row, std::int64_t plane_rows,
            float* planes) {
  const std::int64_t columns = winograd_columns(f.columns), plane = winograd_plane(plane_rows, f.columns);
  for (std::int64_t r = 0; r < f.rows; ++r)
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      Vec taps[9], result[kWinogradPlanes];
      for (int t = 0; t < 9; ++t)
        taps[t] =
            load_some(weight + (f.flip ? 8 - t : t) * f.tap_stride + r * f.row_stride + c, f.columns - c);
      sandwich<FilterMatrix>(taps, result);
      float* to = planes + (first_row + r) * columns + c;
      for (int p = 0; p < kWinogradPlanes; ++p) store(to + p * plane, result[p]);
    }
}

void grad_filter(const float* planes, const WinogradFilter& f, std::int64_t first_row,
                 std::int64_t plane_rows, float* weight) {
  const std::int64_t columns = winograd_columns(f.columns), plane = winograd_plane(plane_rows, f.columns);
  for (std::int64_t r = 0; r < f.rows; ++r)
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      Vec values[kWinogradPlanes], taps[9];
      load_planes(planes + (first_row + r) * columns + c, plane, values);
      sandwich<GradFilterMatrix>(values, taps);
      for (int t = 0; t < 9; ++t)
        store_some(weight + t * f.tap_stride + r * f.row_stride + c, taps[t], f.columns - c);
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
