#include "mgd/kernels/masked_conv.h"

#include <cstring>

#include "mgd/kernels/masked_conv_isa.h"

namespace mgd {

template <>
MaskedConvKernel<float> masked_conv_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return masked_conv_float_avx512();
  if (isa == Isa::avx2) return masked_conv_float_avx2();
#endif
  (void)isa;
  return masked_conv_float_portable();
}

template <>
MaskedConvKernel<Bf16> masked_conv_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512bf16) return masked_conv_bf16_avx512bf16();
  if (isa == Isa::avx512) return masked_conv_bf16_avx512();
  if (isa == Isa::avx2) return masked_conv_bf16_avx2();
#endif
  (void)isa;
  return masked_conv_bf16_portable();
}

void find_conv_pairs(std::int64_t height, std::int64_t width, const std::int32_t* positions,
                     std::int64_t count, std::int32_t* input, std::int32_t* output, std::int64_t* begin) {
  std::int64_t pair = 0;
  for (int tap = 0; tap < kConvTaps; ++tap) {
    begin[tap] = pair;
    // Input (y, x) is read at this tap by the output (y - down, x - right).
    const std::int64_t down = tap / 3 - 1, right = tap % 3 - 1;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t x = positions[i] % width - right, y = positions[i] / width % height - down;
      if (x < 0 || x >= width || y < 0 || y >= height) continue;
      input[pair] = static_cast<std::int32_t>(i);
      output[pair++] = static_cast<std::int32_t>(positions[i] - down * width - right);
    }
  }
  begin[kConvTaps] = pair;
}

template <class T>
void gather_visible(Rows<const T> map, const VisiblePart& part, T* compact) {
  if (part.depth == 0) return;
  for (std::int64_t i = 0; i < part.rows; ++i, compact += part.depth) {
    const T* row = map.row(part.positions ? part.positions[i] : i);
    if (part.channels == nullptr)
      std::memcpy(compact, row, static_cast<std::size_t>(part.depth) * sizeof(T));
    else
      for (std::int64_t j = 0; j < part.depth; ++j) compact[j] = row[part.channels[j]];
  }
}
template void gather_visible(Rows<const float>, const VisiblePart&, float*);
template void gather_visible(Rows<const Bf16>, const VisiblePart&, Bf16*);

void scatter_visible(const float* compact, const VisiblePart& part, Rows<float> map) {
  if (part.depth == 0) return;
  for (std::int64_t i = 0; i < part.rows; ++i, compact += part.depth) {
    float* row = map.row(part.positions ? part.positions[i] : i);
    if (part.channels == nullptr)
      std::memcpy(row, compact, static_cast<std::size_t>(part.depth) * sizeof(float));
    else
      for (std::int64_t j = 0; j < part.depth; ++j) row[part.channels[j]] = compact[j];
  }
}

std::int64_t conv_panels_size(std::int64_t rows, std::int64_t depth) {
  constexpr std::int64_t kPanelColumns = 6;
  return (depth + kPanelColumns - 1) / kPanelColumns * kPanelColumns * rows;
}

}  // namespace mgd
