// The body of Winograd's transforms; one .cpp an instruction set includes it. Lanes are channels.
#pragma once

#include <algorithm>

#include "mgd/kernels/simd.h"
#include "mgd/kernels/winograd.h"

namespace mgd {
namespace {

template <int kRows, int kColumns>
struct Small {
  float at[kRows][kColumns];
  constexpr Small<kColumns, kRows> transposed() const {
    Small<kColumns, kRows> t{};
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kColumns; ++j) t.at[j][i] = at[i][j];
    return t;
  }
};

constexpr Small<6, 6> kInput = {{{4, 0, -5, 0, 1, 0},  // B^T
                                 {0, -4, -4, 1, 1, 0},
                                 {0, 4, -4, -1, 1, 0},
                                 {0, -2, -1, 2, 1, 0},
                                 {0, 2, -1, -2, 1, 0},
                                 {0, 4, 0, -5, 0, 1}}};
constexpr Small<6, 3> kFilter = {{{1.0F / 4, 0, 0},  // G
                                  {-1.0F / 6, -1.0F / 6, -1.0F / 6},
                                  {-1.0F / 6, 1.0F / 6, -1.0F / 6},
                                  {1.0F / 24, 1.0F / 12, 1.0F / 6},
                                  {1.0F / 24, -1.0F / 12, 1.0F / 6},
                                  {0, 0, 1}}};
constexpr Small<4, 6> kOutput = {{{1, 1, 1, 1, 1, 0},  // A^T
                                  {0, 1, -1, 2, -2, 0},
                                  {0, 1, 1, 4, 4, 0},
                                  {0, 1, -1, 8, -8, 1}}};

// M d, of columns of vectors. Everything is unrolled, so factors of 0 and 1 cost nothing.
template <int kOut, int kIn, int kWide>
inline void from_left(const Small<kOut, kIn>& m, const Vec (&d)[kIn][kWide], Vec (&r)[kOut][kWide]) {
#pragma GCC unroll 6
  for (int i = 0; i < kOut; ++i)
#pragma GCC unroll 6
    for (int w = 0; w < kWide; ++w) {
      Vec sum{};
#pragma GCC unroll 6
      for (int j = 0; j < kIn; ++j)
        if (m.at[i][j] != 0) sum += m.at[i][j] * d[j][w];
      r[i][w] = sum;
    }
}

template <int kOut, int kIn, int kHigh>
inline void from_right(const Vec (&d)[kHigh][kIn], const Small<kOut, kIn>& m,
                       Vec (&r)[kHigh][kOut]) {  // d M^T
#pragma GCC unroll 6
  for (int h = 0; h < kHigh; ++h)
#pragma GCC unroll 6
    for (int i = 0; i < kOut; ++i) {
      Vec sum{};
#pragma GCC unroll 6
      for (int j = 0; j < kIn; ++j)
        if (m.at[i][j] != 0) sum += m.at[i][j] * d[h][j];
      r[h][i] = sum;
    }
}

template <int kOut, int kIn>
inline void sandwich(const Small<kOut, kIn>& m, const Vec (&d)[kIn][kIn], Vec (&r)[kOut][kOut]) {  // M d M^T
  Vec half[kOut][kIn];
  from_left(m, d, half);
  from_right(half, m, r);
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

// Calls visit(tile, its first row and column of outputs, first channel, channels left).
template <class Visit>
inline void for_tiles(const WinogradMap& m, const Visit& visit) {
  for (std::int64_t tile = 0; tile < m.tiles(); ++tile)
    for (std::int64_t c = 0; c < m.channels; c += kLanes)
      visit(tile, tile / m.tiles_across() * kWinogradTile, tile % m.tiles_across() * kWinogradTile, c,
            m.channels - c);
}

// Patches of kSide x kSide that start `before` above and left of their tile; outside the map is 0.
template <int kSide>
inline void map_to_planes(const float* map, const WinogradMap& m, const Small<6, kSide>& matrix,
                          std::int64_t before, const WinogradPlanes& planes) {
  for_tiles(m, [&](std::int64_t tile, std::int64_t y0, std::int64_t x0, std::int64_t c, std::int64_t left) {
    Vec patch[kSide][kSide], result[6][6];
    for (int i = 0; i < kSide; ++i)
      for (int j = 0; j < kSide; ++j) {
        const std::int64_t y = y0 - before + i, x = x0 - before + j;
        const bool inside = y >= 0 && y < m.height && x >= 0 && x < m.width;
        patch[i][j] = inside ? load_some(map + (y * m.width + x) * m.channels + c, left) : Vec{};
      }
    sandwich(matrix, patch, result);
    for (int plane = 0; plane < kWinogradPlanes; ++plane)
      store_some(planes.row(plane, tile) + c, result[plane / 6][plane % 6], left);
  });
}

inline void input(const float* map, const WinogradMap& m, const WinogradPlanes& planes) {
  map_to_planes<6>(map, m, kInput, 1, planes);
}

inline void grad_output(const float* map, const WinogradMap& m, const WinogradPlanes& planes) {
  constexpr Small<6, 4> kMatrix = kOutput.transposed();
  map_to_planes<4>(map, m, kMatrix, 0, planes);
}

inline void load_planes(const WinogradPlanes& planes, std::int64_t row, std::int64_t c, std::int64_t left,
                        Vec (&values)[6][6]) {
  for (int plane = 0; plane < kWinogradPlanes; ++plane)
    values[plane / 6][plane % 6] = load_some(planes.row(plane, row) + c, left);
}

inline void output(const WinogradPlanes& planes, const WinogradMap& m, float* map) {
  for_tiles(m, [&](std::int64_t tile, std::int64_t y0, std::int64_t x0, std::int64_t c, std::int64_t left) {
    Vec values[6][6], result[4][4];
    load_planes(planes, tile, c, left, values);
    sandwich(kOutput, values, result);
    for (std::int64_t y = y0; y < std::min(y0 + kWinogradTile, m.height); ++y)
      for (std::int64_t x = x0; x < std::min(x0 + kWinogradTile, m.width); ++x)
        store_some(map + (y * m.width + x) * m.channels + c, result[y - y0][x - x0], left);
  });
}

inline void filter(const float* weight, const WinogradFilter& f, const WinogradPlanes& planes) {
  for (std::int64_t r = 0; r < f.rows; ++r)
    for (std::int64_t c = 0; c < planes.columns; c += kLanes) {
      const std::int64_t left = planes.columns - c;
      Vec taps[3][3], result[6][6];
      for (int t = 0; t < 9; ++t)
        taps[t / 3][t % 3] =
            load_some(weight + (f.flip ? 8 - t : t) * f.tap_stride + r * f.row_stride + c, left);
      sandwich(kFilter, taps, result);
      for (int plane = 0; plane < kWinogradPlanes; ++plane)
        store_some(planes.row(plane, r) + c, result[plane / 6][plane % 6], left);
    }
}

inline void grad_filter(const WinogradPlanes& planes, const WinogradFilter& f, float* weight) {
  constexpr Small<3, 6> kMatrix = kFilter.transposed();
  for (std::int64_t r = 0; r < f.rows; ++r)
    for (std::int64_t c = 0; c < planes.columns; c += kLanes) {
      const std::int64_t left = planes.columns - c;
      Vec values[6][6], taps[3][3];
      load_planes(planes, r, c, left, values);
      sandwich(kMatrix, values, taps);
      for (int t = 0; t < 9; ++t)
        store_some(weight + t * f.tap_stride + r * f.row_stride + c, taps[t / 3][t % 3], left);
    }
}

}  // namespace
}  // namespace mgd
