#include "mgd/nn/init.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

namespace mgd {

namespace {

// A tensor of draws. Every chunk has a stream of its own, so that big networks start quickly on all cores and
// the values still do not depend on the number of threads.
template <class Draw>
at::Tensor drawn(at::IntArrayRef shape, RandomStream& random, const Draw& draw) {
  constexpr std::int64_t kChunk = 16384;
  if (random.idle()) return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  const std::uint64_t bits = random.next_u64();
  const PhiloxKey key{static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)};
  at::Tensor values = at::empty(shape, at::kFloat);
  float* data = values.mutable_data_ptr<float>();
  const std::int64_t total = values.numel();
  at::parallel_for(0, (total + kChunk - 1) / kChunk, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      RandomStream stream(key, 0, static_cast<std::uint64_t>(chunk));
      const std::int64_t stop = std::min(total, (chunk + 1) * kChunk);
      for (std::int64_t i = chunk * kChunk; i < stop; ++i) data[i] = static_cast<float>(draw(stream));
    }
  });
  return values;
}

}  // namespace

at::Tensor drawn_uniform(at::IntArrayRef shape, RandomStream& random, double bound) {
  return drawn(shape, random, [bound](RandomStream& stream) { return stream.uniform(-bound, bound); });
}

at::Tensor drawn_normal(at::IntArrayRef shape, RandomStream& random, double deviation) {
  if (deviation == 0) return at::zeros(shape, at::kFloat);
  return drawn(shape, random, [deviation](RandomStream& stream) { return deviation * stream.normal(); });
}

}  // namespace mgd
