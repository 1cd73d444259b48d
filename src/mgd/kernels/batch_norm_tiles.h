// The body of the batch norm kernels; one .cpp an instruction set includes it. Lanes are columns.
#pragma once

#include "mgd/kernels/batch_norm.h"
#include "mgd/kernels/simd.h"

namespace mgd {
namespace {

// T is Vec or float. NaN passes every comparison here as it is: what is broken must not look sound.
template <class T>
inline T clamped(T z, NormClamp clamp) {
  z = z < clamp.low ? T{} + clamp.low : z;
  return z > clamp.high ? T{} + clamp.high : z;
}

template <class T>
inline T passed(T grad, T z, NormClamp clamp) {
  grad = z <= clamp.low ? T{} : grad;
  return z >= clamp.high ? T{} : grad;
}

// Columns that are worked on together: their constants and sums stay in registers.
constexpr int kWide = kLanes == 16 ? 4 : 2;

template <int kVecs>
struct Columns {
  Vec at[kVecs];
  explicit Columns(const float* from) {
    for (int v = 0; v < kVecs; ++v) at[v] = load_anywhere(from + v * kLanes);
  }
  Columns() : at{} {}
  void add_to(float* to) const {
    for (int v = 0; v < kVecs; ++v) store_anywhere(to + v * kLanes, load_anywhere(to + v * kLanes) + at[v]);
  }
};

// part(width, first column), where width is a constant: how many vectors.
template <int kVecs>
struct Width {
  static constexpr int vecs = kVecs;
};
template <class Part>
inline void over_columns(std::int64_t period, const Part& part) {
  std::int64_t c = 0;
  for (; c + kWide * kLanes <= period; c += kWide * kLanes) part(Width<kWide>{}, c);
  for (; c < period; c += kLanes) part(Width<1>{}, c);
}

void moments(const float* x, std::int64_t count, std::int64_t period, const float* pivot, float* sums,
             float* squares) {
  const std::int64_t whole = count / period * period;
  over_columns(period, [&](auto width, std::int64_t c) {
    constexpr int kVecs = decltype(width)::vecs;
    const Columns<kVecs> from(pivot + c);
    Columns<kVecs> sum, square;
    for (std::int64_t i = c; i < whole; i += period)
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        const Vec d = load_anywhere(x + i + v * kLanes) - from.at[v];
        sum.at[v] += d;
        square.at[v] += d * d;
      }
    sum.add_to(sums + c);
    square.add_to(squares + c);
  });
  for (std::int64_t i = whole; i < count; ++i) {
    const float d = x[i] - pivot[i - whole];
    sums[i - whole] += d;
    squares[i - whole] += d * d;
  }
}

template <bool kShortcut>
void apply_to(const float* x, const float* shortcut, std::int64_t count, const NormColumns& columns,
              NormClamp clamp, float* y) {
  const std::int64_t whole = count / columns.period * columns.period;
  over_columns(columns.period, [&](auto width, std::int64_t c) {
    constexpr int kVecs = decltype(width)::vecs;
    const Columns<kVecs> mean(columns.mean + c), scale(columns.scale + c), bias(columns.bias + c);
    for (std::int64_t i = c; i < whole; i += columns.period)
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        Vec z = (load_anywhere(x + i + v * kLanes) - mean.at[v]) * scale.at[v] + bias.at[v];
        if constexpr (kShortcut) z += load_anywhere(shortcut + i + v * kLanes);
        store_anywhere(y + i + v * kLanes, clamped(z, clamp));
      }
  });
  for (std::int64_t i = whole; i < count; ++i) {
    const std::int64_t c = i - whole;
    const float z = (x[i] - columns.mean[c]) * columns.scale[c] + columns.bias[c];
    y[i] = clamped(kShortcut ? z + shortcut[i] : z, clamp);
  }
}

void apply(const float* x, const float* shortcut, std::int64_t count, const NormColumns& columns,
           NormClamp clamp, float* y) {
  if (shortcut != nullptr)
    apply_to<true>(x, shortcut, count, columns, clamp, y);
  else
    apply_to<false>(x, nullptr, count, columns, clamp, y);
}

template <bool kGivenY, bool kToShortcut>
void sum_grads(const NormGrad& from, std::int64_t count, const NormColumns& columns, NormClamp clamp,
               float* grads, float* products, float* to_shortcut) {
  const std::int64_t whole = count / columns.period * columns.period;
  over_columns(columns.period, [&](auto width, std::int64_t c) {
    constexpr int kVecs = decltype(width)::vecs;
    const Columns<kVecs> mean(columns.mean + c), scale(columns.scale + c), bias(columns.bias + c);
    Columns<kVecs> grad, product;
    for (std::int64_t i = c; i < whole; i += columns.period)
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        const std::int64_t j = i + v * kLanes;
        const Vec d = load_anywhere(from.x + j) - mean.at[v];
        const Vec z = kGivenY ? load_anywhere(from.y + j) : d * scale.at[v] + bias.at[v];
        const Vec g = passed(load_anywhere(from.grad + j), z, clamp);
        if constexpr (kToShortcut) store_anywhere(to_shortcut + j, g);
        grad.at[v] += g;
        product.at[v] += g * d;
      }
    grad.add_to(grads + c);
    product.add_to(products + c);
  });
  for (std::int64_t i = whole; i < count; ++i) {
    const std::int64_t c = i - whole;
    const float d = from.x[i] - columns.mean[c];
    const float z = kGivenY ? from.y[i] : d * columns.scale[c] + columns.bias[c];
    const float g = passed(from.grad[i], z, clamp);
    if constexpr (kToShortcut) to_shortcut[i] = g;
    grads[c] += g;
    products[c] += g * d;
  }
}

void grad_sums(const NormGrad& from, std::int64_t count, const NormColumns& columns, NormClamp clamp,
               float* grads, float* products, float* to_shortcut) {
  const auto run = from.y == nullptr        ? sum_grads<false, false>
                   : to_shortcut == nullptr ? sum_grads<true, false>
                                            : sum_grads<true, true>;
  run(from, count, columns, clamp, grads, products, to_shortcut);
}

template <bool kGivenY>
void input_grad_to(const NormGrad& from, std::int64_t count, const NormColumns& columns, NormClamp clamp,
                   const float* slope, const float* offset, float* to_x) {
  const std::int64_t whole = count / columns.period * columns.period;
  over_columns(columns.period, [&](auto width, std::int64_t c) {
    constexpr int kVecs = decltype(width)::vecs;
    const Columns<kVecs> mean(columns.mean + c), scale(columns.scale + c), bias(columns.bias + c),
        slopes(slope + c), offsets(offset + c);
    for (std::int64_t i = c; i < whole; i += columns.period)
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        const std::int64_t j = i + v * kLanes;
        const Vec d = load_anywhere(from.x + j) - mean.at[v];
        const Vec z = kGivenY ? load_anywhere(from.y + j) : d * scale.at[v] + bias.at[v];
        const Vec g = passed(load_anywhere(from.grad + j), z, clamp);
        store_anywhere(to_x + j, g * scale.at[v] + (d * slopes.at[v] + offsets.at[v]));
      }
  });
  for (std::int64_t i = whole; i < count; ++i) {
    const std::int64_t c = i - whole;
    const float d = from.x[i] - columns.mean[c];
    const float z = kGivenY ? from.y[i] : d * columns.scale[c] + columns.bias[c];
    to_x[i] = passed(from.grad[i], z, clamp) * columns.scale[c] + (d * slope[c] + offset[c]);
  }
}

void input_grad(const NormGrad& from, std::int64_t count, const NormColumns& columns, NormClamp clamp,
                const float* slope, const float* offset, float* to_x) {
  (from.y == nullptr ? input_grad_to<false> : input_grad_to<true>)(from, count, columns, clamp, slope, offset,
                                                                   to_x);
}

}  // namespace
}  // namespace mgd
