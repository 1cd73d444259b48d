// Both passes for whatever instruction set the including file is compiled for.
#pragma once

#include <algorithm>

#include "mgd/kernels/resample.h"
#include "mgd/kernels/simd.h"

namespace mgd {
namespace {

constexpr std::int32_t kHalf = 1 << (kResampleBits - 1);

inline std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kResampleBits, 0, 255));
}

typedef std::uint8_t FourBytes __attribute__((vector_size(4)));
typedef std::int32_t FourInts __attribute__((vector_size(16)));

// A pixel and the byte behind it fill a vector: no shuffling, a quarter of the arithmetic for nothing.
void colour_row(const std::uint8_t* row, const ResampleWeights& w, std::uint8_t* out) {
  for (std::int64_t i = 0; i < w.outputs(); ++i, out += 3) {
    const std::uint8_t* from = row + 3 * w.first[static_cast<std::size_t>(i)];
    const std::int32_t* weight = w.weights.data() + i * w.taps;
    FourInts sum = {kHalf, kHalf, kHalf, 0};
    for (std::int32_t t = 0; t < w.count[static_cast<std::size_t>(i)]; ++t, from += 3) {
      FourBytes bytes;
      __builtin_memcpy(&bytes, from, 4);
      sum += __builtin_convertvector(bytes, FourInts) * weight[t];
    }
    for (int c = 0; c < 3; ++c) out[c] = to_byte(sum[c]);
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

void along_row(const std::uint8_t* row, std::int64_t channels, const ResampleWeights& w, std::uint8_t* out) {
  channels == 3 ? colour_row(row, w, out) : grey_row(row, w, out);
}

typedef std::uint8_t VecBytes __attribute__((vector_size(kLanes)));

void along_columns(const std::uint8_t* rows, std::int64_t stride, std::int64_t width,
                   const ResampleWeights& w, std::uint8_t* out) {
  constexpr std::int64_t kVectors = 4;  // sums that stay in registers
  for (std::int64_t i = 0; i < w.outputs(); ++i, out += width) {
    const std::uint8_t* top = rows + w.first[static_cast<std::size_t>(i)] * stride;
    const std::int32_t* weight = w.weights.data() + i * w.taps;
    const std::int32_t count = w.count[static_cast<std::size_t>(i)];
    std::int64_t x = 0;
    for (; x + kVectors * kLanes <= width; x += kVectors * kLanes) {
      VecInt sums[kVectors];
      for (auto& sum : sums) sum = kHalf - VecInt{};
      for (std::int32_t t = 0; t < count; ++t)
        for (std::int64_t v = 0; v < kVectors; ++v) {
          VecBytes bytes;
          __builtin_memcpy(&bytes, top + t * stride + x + v * kLanes, kLanes);
          sums[v] += __builtin_convertvector(bytes, VecInt) * weight[t];
        }
      for (std::int64_t v = 0; v < kVectors; ++v)
        for (std::int64_t l = 0; l < kLanes; ++l) out[x + v * kLanes + l] = to_byte(sums[v][l]);
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
