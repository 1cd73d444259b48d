#include <algorithm>

#include "mgd/kernels/masked_conv.h"

namespace mgd {

namespace {

// Calls visit(output position, input position, tap) for every pair inside the map.
template <class Visit>
void for_taps(const MaskedConvProblem& p, const Visit& visit) {
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t y = 0; y < p.height; ++y)
      for (std::int64_t x = 0; x < p.width; ++x)
        for (std::int64_t tap = 0; tap < kConvTaps; ++tap) {
          const std::int64_t from_y = y + tap / 3 - 1, from_x = x + tap % 3 - 1;
          if (from_y < 0 || from_y >= p.height || from_x < 0 || from_x >= p.width) continue;
          visit((b * p.height + y) * p.width + x, (b * p.height + from_y) * p.width + from_x, tap);
        }
}

}  // namespace

void masked_conv_ref(const MaskedConvProblem& p, double* output) {
  for (std::int64_t o = 0; o < p.batch * p.height * p.width; ++o)
    std::copy_n(p.bias, p.out, output + o * p.out);
  for_taps(p, [&](std::int64_t o, std::int64_t i, std::int64_t tap) {
    for (std::int64_t c = 0; c < p.in; ++c) {
      if (p.keep[i * p.in + c] == 0) continue;
      for (std::int64_t n = 0; n < p.out; ++n)
        output[o * p.out + n] += static_cast<double>(p.input[i * p.in + c]) *
                                 static_cast<double>(p.weight[(n * kConvTaps + tap) * p.in + c]);
    }
  });
}

void masked_conv_backward_ref(const MaskedConvProblem& p, const float* grad_output,
                              const MaskedConvGradients& gradients) {
  const std::int64_t positions = p.batch * p.height * p.width;
  std::fill_n(gradients.input, positions * p.in, 0.0);
  std::fill_n(gradients.weight, p.out * kConvTaps * p.in, 0.0);
  std::fill_n(gradients.bias, p.out, 0.0);
  for (std::int64_t o = 0; o < positions; ++o)
    for (std::int64_t n = 0; n < p.out; ++n)
      gradients.bias[n] += static_cast<double>(grad_output[o * p.out + n]);
  for_taps(p, [&](std::int64_t o, std::int64_t i, std::int64_t tap) {
    for (std::int64_t c = 0; c < p.in; ++c) {
      if (p.keep[i * p.in + c] == 0) continue;
      for (std::int64_t n = 0; n < p.out; ++n) {
        const std::int64_t w = (n * kConvTaps + tap) * p.in + c;
        const auto grad = static_cast<double>(grad_output[o * p.out + n]);
        gradients.input[i * p.in + c] += grad * static_cast<double>(p.weight[w]);
        gradients.weight[w] += grad * static_cast<double>(p.input[i * p.in + c]);
      }
    }
  });
}

}  // namespace mgd
