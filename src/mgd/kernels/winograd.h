// Winograd's F(4x4, 3x3) for convolutions 3x3 with stride 1 and padding 1 (Lavin and Gray, CVPR 2016): with
// the points 0, 1, -1, 2, -2 and infinity, 36 products stand for the 144 of a tile of 4 x 4 outputs. Not
// exact: float errors grow to some 1e-5 of the largest value.
//
//   output tile = A^T (G w G^T . B^T d B) A,   grad_w = G^T (B^T d B . A grad A^T) G
//
// `.` is a matrix product over channels in each of the 36 planes. Maps are channels-last; a tile is a row of
// each plane, and tiles are numbered through the whole batch, so that a group of them is as large as the
// caches like it.
#pragma once

#include <cstdint>

#include "mgd/kernels/isa.h"

namespace mgd {

inline constexpr int kWinogradPlanes = 36;
inline constexpr std::int64_t kWinogradTile = 4;  // outputs a side

struct WinogradMap {
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t tiles_across() const { return (width + kWinogradTile - 1) / kWinogradTile; }
  std::int64_t tiles() const {  // of a sample
    return tiles_across() * ((height + kWinogradTile - 1) / kWinogradTile);
  }
};

struct WinogradTiles {
  std::int64_t first = 0, count = 0;  // of the batch
};

// Columns of a plane: channels and zeros up to whole vectors of every instruction set.
inline constexpr std::int64_t winograd_columns(std::int64_t channels) {
  return (channels + 15) / 16 * 16;
}

// Floats from one plane to the next. Never a multiple of a page: 36 streams in step would else meet in the
// same few lines of the cache.
inline constexpr std::int64_t winograd_plane(std::int64_t rows, std::int64_t channels) {
  return rows * winograd_columns(channels) + 80;
}

// Weight of tap t from row r to column c at data[t * tap_stride + r * row_stride + c].
struct WinogradFilter {
  std::int64_t rows = 0, columns = 0, tap_stride = 0, row_stride = 0;
  bool flip = false;  // taps in reverse: what carries gradients back
};

// Planes are (36, rows, winograd_columns), winograd_plane apart, aligned to 64 bytes; plane_rows: rows a
// plane, of which a part is meant where a kernel is told a first row.
struct WinogradKernel {
  void (*input)(const float* maps, const WinogradMap&, const WinogradTiles&, float* planes);        // B^T d B
  void (*grad_output)(const float* maps, const WinogradMap&, const WinogradTiles&, float* planes);  // A g A^T
  void (*output)(const float* planes, const WinogradMap&, const WinogradTiles&, float* maps);       // A^T m A
  // Rows [first_row, first_row + f.rows) of plane_rows. weight: that of first_row.
  void (*filter)(const float* weight, const WinogradFilter& f, std::int64_t first_row,
                 std::int64_t plane_rows,
                 float* planes);  // G w G^T
  void (*grad_filter)(const float* planes, const WinogradFilter& f, std::int64_t first_row,
                      std::int64_t plane_rows, float* weight);  // G^T u G
  // to (tiles, width) = from (tiles, depth) . filter (depth, width) in each of the planes.
  void (*multiply)(const float* from, const float* filter, std::int64_t tiles, std::int64_t depth,
                   std::int64_t width, float* to);
  // In one plane: to (depth, width) += from^T . grad (tiles, width).
  void (*multiply_transposed)(const float* from, const float* grad, std::int64_t tiles, std::int64_t depth,
                              std::int64_t width, float* to);
};
WinogradKernel winograd_kernel(Isa isa);

}  // namespace mgd
