// Convolutions 3x3 with stride 1 and padding 1 whose input is hidden in part, on raw rows: a product of
// matrices over what is visible. See ops/masked_conv.h for the contract.
//
// Maps are channels-last: a row is a position, a column a channel. Visible input is compact: only visible
// positions, or only visible channels. At each of the nine taps a visible input row i meets the output row o
// that reads it there; pairs outside the map do not exist. All three passes are sums over these pairs:
//   output[o] += input[i] W_tap,  grad_input[i] += grad_output[o] W_tap^T,  grad_W_tap += input[i]^T
//   grad_output[o].
//
// T is float or Bf16, the type of the factors; sums are float.
#pragma once

#include <cstdint>

#include "mgd/core/bf16.h"
#include "mgd/kernels/isa.h"
#include "mgd/kernels/rows.h"

namespace mgd {

inline constexpr int kConvTaps = 9;             // tap 3 v + u reads the input at (y + v - 1, x + u - 1)
inline constexpr std::int64_t kConvPanel = 64;  // columns of the result that one call computes

// Tap t has the pairs [begin[t], begin[t + 1]).
struct ConvPairs {
  const std::int32_t* input = nullptr;
  const std::int32_t* output = nullptr;
  const std::int64_t* begin = nullptr;  // (10)
};

// The pairs of `count` visible positions, ascending numbers (sample * height + y) * width + x. `input` and
// `output` have room for 9 * count, `begin` for 10.
void find_conv_pairs(std::int64_t height, std::int64_t width, const std::int32_t* positions,
                     std::int64_t count, std::int32_t* input, std::int32_t* output, std::int64_t* begin);

// Element (tap, k, j) lies at data[tap * tap_stride + K * k_stride + J * j_stride], with K = k_index[k] when
// there is an index and k otherwise, J likewise. Either columns are neighbours, j_stride 1 without j_index,
// or rows are, k_stride 1 without k_index.
template <class T>
struct ConvWeight {
  const T* data = nullptr;
  std::int64_t tap_stride = 0, k_stride = 0, j_stride = 0;
  const std::int32_t* k_index = nullptr;
  const std::int32_t* j_index = nullptr;
};

// to[to_row[p]] += from[from_row[p]] W_tap for the pairs p of each tap; before that, the rows [0, to_rows)
// are set to `start`, and after it they pass a ReLU if there is one. `rounded`, when given, gets the panel's
// result, and `to` is memory for its sums, (to_rows, kConvPanel).
template <class T>
struct ConvProduct {
  const std::int64_t* begin = nullptr;  // (10), as in ConvPairs
  const std::int32_t *from_row = nullptr, *to_row = nullptr;
  Rows<const T> from;  // (., depth)
  Rows<float> to;      // (to_rows, width)
  Rows<Bf16> rounded;  // (to_rows, width)
  std::int64_t depth = 0, width = 0, to_rows = 0;
  ConvWeight<T> weight;          // k < depth, j < width
  const float* start = nullptr;  // (width); nullptr: zeros
  bool relu = false;
};

// grad(tap, channel(m)) += sum over the pairs of input[i][m] * grad_output[o]. With input and output
// exchanged, it is the gradient of the transposed weight.
template <class T>
struct ConvWeightGradient {
  ConvPairs pairs;                         // input: ascending within a tap
  const void* panels = nullptr;            // input, packed by the kernel's `pack`
  std::int64_t rows = 0, depth = 0;        // of the input
  const std::int32_t* channels = nullptr;  // (depth), ascending; nullptr: m itself
  Rows<const T> grad_output;               // (., width)
  std::int64_t width = 0;
  Rows<float> grad;  // row tap * tap_rows + channel * channel_rows, `width` columns
  std::int64_t tap_rows = 0, channel_rows = 1;
};

// What calls did, for the promise that hidden work is not done.
struct ConvWork {
  std::int64_t macs = 0;  // multiply-accumulates of one pass
};

// `panel` chooses the columns [panel * kConvPanel, (panel + 1) * kConvPanel) of the result; calls with
// different panels write different places. Nothing is allocated.
template <class T>
struct MaskedConvKernel {
  void (*product)(const ConvProduct<T>&, std::int64_t panel, ConvWork&);
  // (rows, depth) -> conv_panels_size(rows, depth) values of 32 bits.
  void (*pack)(const T* compact, std::int64_t rows, std::int64_t depth, void* panels);
  void (*weight_gradient)(const ConvWeightGradient<T>&, int tap, std::int64_t panel, ConvWork&);
};
template <class T>
MaskedConvKernel<T> masked_conv_kernel(Isa isa);
std::int64_t conv_panels_size(std::int64_t rows, std::int64_t depth);

// Rows and columns of a map that are visible; a nullptr stands for all.
struct VisiblePart {
  const std::int32_t* positions = nullptr;  // (rows)
  const std::int32_t* channels = nullptr;   // (depth)
  std::int64_t rows = 0, depth = 0;
};
template <class T>
void gather_visible(Rows<const T> map, const VisiblePart& part, T* compact);  // -> (rows, depth)
// The inverse, adding nothing and clearing nothing: hidden places keep what they hold.
void scatter_visible(const float* compact, const VisiblePart& part, Rows<float> map);

// The readable reference: every sum in double over the definition.
struct MaskedConvProblem {
  std::int64_t batch = 0, height = 0, width = 0, in = 0, out = 0;
  const float* input = nullptr;        // (batch, height, width, in)
  const std::uint8_t* keep = nullptr;  // the same; 0: hidden, taken for 0 whatever the input holds
  const float* weight = nullptr;       // (out, 9, in)
  const float* bias = nullptr;         // (out)
};
void masked_conv_ref(const MaskedConvProblem& problem, double* output);
// Each is written, not added to.
struct MaskedConvGradients {
  double* input = nullptr;   // hidden places get 0
  double* weight = nullptr;  // (out, 9, in)
  double* bias = nullptr;
};
void masked_conv_backward_ref(const MaskedConvProblem& problem, const float* grad_output,
                              const MaskedConvGradients& gradients);

}  // namespace mgd
