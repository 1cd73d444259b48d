// Both passes for whatever instruction set the including file is compiled for.
#pragma once

#include <algorithm>
#include <vector>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "mgd/kernels/resample.h"

namespace mgd {
namespace {

constexpr std::int32_t kHalf = 1 << (kResampleBits - 1);

inline std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kResampleBits, 0, 255));
}

typedef std::uint8_t EightBytes __attribute__((vector_size(8)));
typedef std::int32_t EightInts __attribute__((vector_size(32)));

// GCC 12 widens eight bytes one by one, unless it is told the instruction.
inline void widen(std::uint64_t eight_bytes, EightInts& ints) {
#if defined(__AVX2__)
  ints = reinterpret_cast<EightInts>(
      _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(eight_bytes))));
#else
  EightBytes bytes;
  __builtin_memcpy(&bytes, &eight_bytes, 8);
  ints = __builtin_convertvector(bytes, EightInts);
#endif
}

// kPairs pairs of rows at once. The pixels of a pair, each with the byte behind it, fill a vector: no
// shuffling, a quarter of the arithmetic for nothing. How many inputs an output has changes from pixel to
// pixel, and a processor that guesses it wrong should do so once for all rows.
template <std::int64_t kPairs>
void colour_rows(const std::uint8_t* rows, std::int64_t stride, const ResampleWeights& w, std::uint8_t* out) {
  const std::int64_t width = 3 * w.outputs();
  for (std::int64_t i = 0; i < w.outputs(); ++i, out += 3) {
    const std::uint8_t* from = rows + 3 * w.first[static_cast<std::size_t>(i)];
    const std::int32_t* weight = w.weights.data() + i * w.taps;
    EightInts sums[kPairs];
    for (auto& sum : sums) sum = kHalf - EightInts{};
    for (std::int32_t t = 0; t < w.count[static_cast<std::size_t>(i)]; ++t, from += 3)
      for (std::int64_t p = 0; p < kPairs; ++p) {
        std::uint32_t one, other;
        __builtin_memcpy(&one, from + 2 * p * stride, 4);
        __builtin_memcpy(&other, from + (2 * p + 1) * stride, 4);
        EightInts ints;
        widen(one | static_cast<std::uint64_t>(other) << 32, ints);
        sums[p] += ints * weight[t];
      }
    for (std::int64_t row = 0; row < 2 * kPairs; ++row)
      for (std::int64_t c = 0; c < 3; ++c) out[row * width + c] = to_byte(sums[row / 2][row % 2 * 4 + c]);
  }
}

void grey_row(const std::uint8_t* row, const ResampleWeights& w, std::uint8_t* out) {
  for (std::int64_t i = 0; i < w.outputs(); ++i) {
    const std::uint8_t* from = row + w.first[static_cast<std::size_t>(i)];
    const std::int32_t* weight = w.weights.data() + i * w.taps;
    std::int32_t sum = kHalf;
    for (std::int32_t t = 0; t < w.count[static_cast<std::size_t>(i)]; ++t) sum += from[t] * weight[t];
    out[i] = to_byte(sum);
  }
}

void along_rows(const std::uint8_t* rows, std::int64_t stride, std::int64_t height, std::int64_t channels,
                const ResampleWeights& w, std::uint8_t* out) {
  constexpr std::int64_t kPairs = 3;
  const std::int64_t width = channels * w.outputs();
  std::int64_t y = 0;
  if (channels == 3) {
    for (; y + 2 * kPairs <= height; y += 2 * kPairs)
      colour_rows<kPairs>(rows + y * stride, stride, w, out + y * width);
    for (; y + 2 <= height; y += 2) colour_rows<1>(rows + y * stride, stride, w, out + y * width);
    std::vector<std::uint8_t> twice(static_cast<std::size_t>(y < height ? 2 * width : 0));
    if (y < height) {
      colour_rows<1>(rows + y * stride, 0, w, twice.data());
      std::copy_n(twice.data(), width, out + y * width);
    }
    return;
  }
  for (; y < height; ++y) grey_row(rows + y * stride, w, out + y * width);
}

void along_columns(const std::uint8_t* rows, std::int64_t stride, std::int64_t width,
                   const ResampleWeights& w, std::uint8_t* out) {
  constexpr std::int64_t kVectors = 4;  // sums that stay in registers
  for (std::int64_t i = 0; i < w.outputs(); ++i, out += width) {
    const std::uint8_t* top = rows + w.first[static_cast<std::size_t>(i)] * stride;
    const std::int32_t* weight = w.weights.data() + i * w.taps;
    const std::int32_t count = w.count[static_cast<std::size_t>(i)];
    std::int64_t x = 0;
    for (; x + kVectors * 8 <= width; x += kVectors * 8) {
      EightInts sums[kVectors];
      for (auto& sum : sums) sum = kHalf - EightInts{};
      for (std::int32_t t = 0; t < count; ++t)
        for (std::int64_t v = 0; v < kVectors; ++v) {
          std::uint64_t bytes;
          __builtin_memcpy(&bytes, top + t * stride + x + v * 8, 8);
          EightInts ints;
          widen(bytes, ints);
          sums[v] += ints * weight[t];
        }
      for (std::int64_t v = 0; v < kVectors; ++v)
        for (std::int64_t l = 0; l < 8; ++l) out[x + v * 8 + l] = to_byte(sums[v][l]);
    }
    for (; x < width; ++x) {
      std::int32_t sum = kHalf;
      for (std::int32_t t = 0; t < count; ++t) sum += top[t * stride + x] * weight[t];
      out[x] = to_byte(sum);
    }
  }
}

}  // namespace
}  // namespace mgd
