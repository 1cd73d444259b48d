#include "mgd/format/float_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "mgd/core/bf16.h"
#include "mgd/core/error.h"

namespace mgd {

namespace {

constexpr std::size_t kBlock = 64;  // values of one scale
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

template <class T>
void put(std::byte*& out, T value) {
  std::memcpy(out, &value, sizeof value);
  out += sizeof value;
}

template <class T>
T take(const std::byte*& in) {
  T value;
  std::memcpy(&value, in, sizeof value);
  in += sizeof value;
  return value;
}

void encode_int8(const float* values, std::size_t count, std::byte* out) {
  float largest = 0;
  bool finite = true;
  for (std::size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(values[i]));
    finite = finite && std::isfinite(values[i]);
  }
  const float scale = finite ? largest / 127 : kNaN;
  put(out, scale);
  for (std::size_t i = 0; i < count; ++i) {
    // A scale that underflowed to zero has nothing to divide by.
    const float steps = scale > 0 ? std::clamp(std::nearbyint(values[i] / scale), -127.0F, 127.0F) : 0.0F;
    put(out, static_cast<std::int8_t>(steps));
  }
}

void decode_int8(const std::byte* in, std::size_t count, float* values) {
  const auto scale = take<float>(in);
  for (std::size_t i = 0; i < count; ++i) values[i] = scale * static_cast<float>(take<std::int8_t>(in));
}

std::size_t block_bytes(std::size_t count) {
  return sizeof(float) + count;
}

}  // namespace

FloatCode float_code_of(std::string_view name) {
  MGD_ASSERT(name == "fp32" || name == "bf16" || name == "int8");
  return name == "fp32" ? FloatCode::fp32 : name == "bf16" ? FloatCode::bf16 : FloatCode::int8;
}

std::size_t coded_bytes(FloatCode code, std::size_t count) {
  if (code == FloatCode::fp32) return count * sizeof(float);
  if (code == FloatCode::bf16) return count * sizeof(Bf16);
  return count + (count + kBlock - 1) / kBlock * sizeof(float);
}

void encode_floats(FloatCode code, const float* values, std::size_t count, std::byte* out) {
  if (code == FloatCode::fp32) {
    std::memcpy(out, values, count * sizeof(float));
  } else if (code == FloatCode::bf16) {
    for (std::size_t i = 0; i < count; ++i) {
      Bf16 rounded;
      from_float(values[i], rounded);
      put(out, rounded);
    }
  } else {
    for (std::size_t i = 0; i < count; i += kBlock, out += block_bytes(kBlock))
      encode_int8(values + i, std::min(kBlock, count - i), out);
  }
}

void decode_floats(FloatCode code, const std::byte* in, std::size_t count, float* values) {
  if (code == FloatCode::fp32) {
    std::memcpy(values, in, count * sizeof(float));
  } else if (code == FloatCode::bf16) {
    for (std::size_t i = 0; i < count; ++i) values[i] = to_float(take<Bf16>(in));
  } else {
    for (std::size_t i = 0; i < count; i += kBlock, in += block_bytes(kBlock))
      decode_int8(in, std::min(kBlock, count - i), values + i);
  }
}

std::size_t top_k_bytes(std::size_t k) {
  return sizeof(float) + k * (sizeof(std::uint32_t) + sizeof(float));
}

void encode_top_k(const float* logits, std::size_t count, std::size_t k, std::byte* out) {
  MGD_ASSERT(k >= 1 && k < count && count <= std::numeric_limits<std::uint32_t>::max());
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  // NaN counts as the largest, so that it is kept and seen; a comparison with it would be no order.
  const auto rank = [&](std::uint32_t i) {
    return std::isnan(logits[i]) ? std::numeric_limits<float>::infinity() : logits[i];
  };
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
      [&](std::uint32_t a, std::uint32_t b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; });
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::size_t i = k; i < count; ++i) largest = std::max(largest, double{logits[order[i]]});
  for (std::size_t i = k; i < count; ++i) sum += std::exp(double{logits[order[i]]} - largest);
  // All of the others at minus infinity: no mass is left, and 0 / 0 must not come of it.
  const double rest =
      std::isinf(largest) && largest < 0 ? largest : largest + std::log(sum / static_cast<double>(count - k));
  put(out, static_cast<float>(rest));
  for (std::size_t i = 0; i < k; ++i) {
    put(out, order[i]);
    put(out, logits[order[i]]);
  }
}

void decode_top_k(const std::byte* in, std::size_t count, std::size_t k, float* logits) {
  std::fill_n(logits, count, take<float>(in));
  for (std::size_t i = 0; i < k; ++i) {
    const auto index = take<std::uint32_t>(in);
    const auto value = take<float>(in);
    if (index < count) logits[index] = value;  // a forged file must not write beside the row
  }
}

}  // namespace mgd
