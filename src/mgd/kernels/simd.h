// Vectors of floats for whatever instruction set the including file is compiled for. Everything here has
// internal linkage: the same template compiled twice with different flags must not be merged by the linker.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mgd {
namespace {

#if defined(__AVX512F__)
constexpr std::int64_t kLanes = 16;
#elif defined(__AVX2__)
constexpr std::int64_t kLanes = 8;
#else
constexpr std::int64_t kLanes = 4;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef std::int32_t VecInt __attribute__((vector_size(kLanes * 4)));

inline Vec load(const float* from) {  // aligned to the vector
  return *reinterpret_cast<const Vec*>(from);
}
inline void store(float* to, Vec value) {
  *reinterpret_cast<Vec*>(to) = value;
}
// The same at any address of a float.
typedef float VecAnywhere __attribute__((vector_size(kLanes * 4), aligned(4)));
inline Vec load_anywhere(const float* from) {
  return *reinterpret_cast<const VecAnywhere*>(from);
}
inline void store_anywhere(float* to, Vec value) {
  *reinterpret_cast<VecAnywhere*>(to) = value;
}
inline Vec all(float value) {
  return value - Vec{};
}
inline Vec greater(Vec a, Vec b) {  // the larger of each pair
  return a > b ? a : b;
}

// The end of a row: `count` values of at most kLanes, the other lanes are `rest`.
inline Vec load_first(const float* from, std::int64_t count, float rest) {
  Vec v = all(rest);
  __builtin_memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(float));
  return v;
}
inline void store_first(float* to, std::int64_t count, Vec v) {
  __builtin_memcpy(to, &v, static_cast<std::size_t>(count) * sizeof(float));
}

inline float sum_of(Vec v) {
  float sum = 0;
  for (std::int64_t i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}
inline float most_of(Vec v) {
  float most = v[0];
  for (std::int64_t i = 1; i < kLanes; ++i) most = v[i] > most ? v[i] : most;
  return most;
}

// e^x for x <= 0: exact 0 below -87.3 (where the result would be subnormal) and for -inf, error below 2 ulp.
// 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2; the polynomial is the Taylor series to r^7, whose
// rest is below 2^-27.
inline Vec exp_nonpositive(Vec x) {
  const Vec low = all(-87.3F), clamped = x < low ? low : x;
  const Vec magic = all(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec n = (clamped * 1.44269504088896F + magic) - magic;
  // ln 2 in two parts, the first with trailing zeros: n times it is exact.
  const Vec r = (clamped - n * 0.693145751953125F) - n * 1.42860682030941723e-6F;
  Vec p = all(1.0F / 5040);
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const VecInt power = (__builtin_convertvector(n, VecInt) + 127) << 23;
  Vec two;
  __builtin_memcpy(&two, &power, sizeof two);
  // NaN stays NaN: it is not below the limit.
  return x < low ? Vec{} : p * two;
}

}  // namespace
}  // namespace mgd
