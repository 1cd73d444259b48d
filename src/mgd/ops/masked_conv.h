// The convolution that generates features from masked ones: 3x3, stride 1, padding 1, of keep * x, and
// arithmetic on hidden input is not done, in no pass.
//
// What a hidden place holds, NaN included, reaches neither output nor gradients; its own gradient is exactly
// 0. Results do not depend on the number of threads. (Yang et al., ECCV 2022, equation 4, the first
// convolution of the generation block.)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace mgd {

enum class SkipHidden { automatic, always, never };  // automatic: where skipping_pays says so

struct MaskedConvOptions {
  bool relu = false;  // ReLU of the result
  SkipHidden skip = SkipHidden::automatic;
  std::int64_t* macs = nullptr;  // += multiply-accumulates that the forward pass did
};

// x (B, C, Y, X); keep bool, broadcasts to x, undefined: nothing is hidden; weight (N, C, 3, 3); bias (N)
// -> (B, N, Y, X), channels-last where hidden places are skipped. Skipped are whole positions and, for a
// keep of (B, C, 1, 1), channels, in float and bfloat16 on the CPU; other masks, types and devices go the
// dense way. Factors are bfloat16, and so is the result, for x of bfloat16 and under autocast; sums are
// float. Throws Error(usage) for shapes that do not fit.
at::Tensor masked_conv3x3(const at::Tensor& x, const at::Tensor& keep, const at::Tensor& weight,
                          const at::Tensor& bias, const MaskedConvOptions& options = {});

// The cost model's view of a convolution.
struct ConvCase {
  std::int64_t batch = 0, height = 0, width = 0, in = 0, out = 0;
  double visible_frac = 1;  // of its positions or channels
  bool by_channel = false;
  bool bf16 = false;  // products of bfloat16
};

// Whether skipping is faster than the dense convolution over forward and backward together. Measured:
// docs/benchmarks.md.
bool skipping_pays(const ConvCase& c);

}  // namespace mgd
