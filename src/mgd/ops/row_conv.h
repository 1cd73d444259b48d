// A convolution of width 3 over the positions of packed sequences, for the rows that somebody asks for: its
// time follows the pairs of rows that meet, and no sequence sees its neighbour.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace mgd {

// Which input rows meet which output rows at the three taps: of tap d the output row reads the row d - 1
// further on in its sequence.
struct RowPairs {
  std::array<at::Tensor, 3> from, to;  // (m_d) int64: places among the input rows, and among the output rows
  std::int64_t num_out = 0;
};

// `in` and `out`: rows of N, ascending. offsets (S + 1), from 0 to N. Tensors lie on `device`.
RowPairs row_pairs(std::span<const std::int64_t> offsets, std::span<const std::int64_t> in,
                   std::span<const std::int64_t> out, at::Device device = at::kCPU);

// in (n_in, I), weight (O, I, 3), bias (O) -> (n_out, O): of each output row the bias and the products of the
// pairs. A row that is no input row adds nothing, like the zeros of Conv1d's padding. Error(usage) for shapes
// that do not fit.
at::Tensor row_conv3(const at::Tensor& in, const RowPairs& pairs, const at::Tensor& weight,
                     const at::Tensor& bias);

}  // namespace mgd
