// The transforms of Winograd's F(4x4, 3x3) for convolutions 3x3 with stride 1 and padding 1 (Lavin and Gray,
// CVPR 2016): with the points 0, 1, -1, 2, -2 and infinity, 36 products stand for the 144 of a tile of 4 x 4
// outputs. Not exact: float errors grow to some 1e-5 of the largest value.
//
//   output tile = A^T (G w G^T . B^T d B) A,   grad_w = G^T (B^T d B . A grad A^T) G
//
// `.` is a matrix product over channels in each of the 36 planes, and left to masked_conv.h. Maps are
// channels-last; planes are (36, rows, columns), and a tile is a row of each plane.
#pragma once

#include <cstdint>

#include "mgd/kernels/isa.h"

namespace mgd {

inline constexpr int kWinogradPlanes = 36;
inline constexpr std::int64_t kWinogradTile = 4;  // outputs a side

struct WinogradMap {
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t tiles_across() const { return (width + kWinogradTile - 1) / kWinogradTile; }
  std::int64_t tiles() const { return tiles_across() * ((height + kWinogradTile - 1) / kWinogradTile); }
};

// (rows, columns) in each plane; the first row of the tiles or filters in question, plane_rows rows a plane.
struct WinogradPlanes {
  float* data = nullptr;
  std::int64_t plane_rows = 0, columns = 0;
  float* row(int plane, std::int64_t i) const { return data + (plane * plane_rows + i) * columns; }
};

// Weight of tap t from row r to column c at data[t * tap_stride + r * row_stride + c].
struct WinogradFilter {
  std::int64_t rows = 0, tap_stride = 0, row_stride = 0;
  bool flip = false;  // taps in reverse: what carries gradients back
};

struct WinogradKernel {
  void (*input)(const float* map, const WinogradMap&, const WinogradPlanes&);         // B^T d B
  void (*grad_output)(const float* map, const WinogradMap&, const WinogradPlanes&);   // A grad A^T
  void (*output)(const WinogradPlanes&, const WinogradMap&, float* map);              // A^T m A
  void (*filter)(const float* weight, const WinogradFilter&, const WinogradPlanes&);  // G w G^T
  void (*grad_filter)(const WinogradPlanes&, const WinogradFilter&, float* weight);   // G^T u G
};
WinogradKernel winograd_kernel(Isa isa);

}  // namespace mgd
