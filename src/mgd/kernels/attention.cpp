#include "mgd/kernels/attention.h"

#include <algorithm>

#include "mgd/kernels/attention_isa.h"

namespace mgd {

namespace {
constexpr std::int64_t kWidestVector = 16;

std::int64_t padded(std::int64_t n, std::int64_t unit) {
  return (n + unit - 1) / unit * unit;
}
}  // namespace

template <>
AttentionKernel<float> attention_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return attention_float_avx512();
  if (isa == Isa::avx2) return attention_float_avx2();
#endif
  (void)isa;
  return attention_float_portable();
}

template <>
AttentionKernel<Bf16> attention_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return attention_bf16_avx512();
  if (isa == Isa::avx2) return attention_bf16_avx2();
#endif
  (void)isa;
  return attention_bf16_portable();
}

// The larger of both passes: five arrays of keys and five tiles in backward.
std::int64_t attention_workspace(std::int64_t, std::int64_t k_length, std::int64_t head_dim) {
  const std::int64_t width = padded(head_dim, kWidestVector), keys = padded(k_length, kAttentionKeys);
  const std::int64_t floats =
      5 * keys * width + 3 * kAttentionRows * width + 2 * kAttentionRows * kAttentionKeys;
  return (floats + 10 * kWidestVector) * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t count_attention_tiles(const std::int32_t* first, const std::int32_t* last, std::int64_t q_length,
                                   std::int64_t k_length) {
  std::int64_t tiles = 0;
  for (std::int64_t q = 0; q < q_length; q += kAttentionRows)
    for (std::int64_t k = 0; k < k_length; k += kAttentionKeys) {
      bool visited = false;
      for (std::int64_t i = q; i < std::min(q + kAttentionRows, q_length); ++i)
        visited |= std::max<std::int64_t>(first[i], k) < std::min<std::int64_t>(last[i], k + kAttentionKeys);
      tiles += visited ? 1 : 0;
    }
  return tiles;
}

}  // namespace mgd
