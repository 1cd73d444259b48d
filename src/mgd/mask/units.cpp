#include "mgd/mask/units.h"

#include <ATen/ops/empty.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"

namespace mgd {

MapShape MapShape::of(const std::vector<std::int64_t>& shape, const char* sampler) {
  if (shape.size() != 3)
    fail(ExitCode::usage, "mask {}: the node has shape ({}), expected a map (C, Y, X)", sampler,
         fmt::join(shape, ", "));
  return {shape[0], shape[1], shape[2]};
}

namespace {

// Lemire, "Fast Random Integer Generation in an Interval" (2019): unbiased, and almost never divides.
std::uint32_t below(RandomStream& stream, std::uint32_t bound) {
  std::uint64_t product = std::uint64_t{stream.next_u32()} * bound;
  if (static_cast<std::uint32_t>(product) < bound) {
    const std::uint32_t rejected = (0U - bound) % bound;
    while (static_cast<std::uint32_t>(product) < rejected) product = std::uint64_t{stream.next_u32()} * bound;
  }
  return static_cast<std::uint32_t>(product >> 32);
}

// Selection sampling (Knuth, TAOCP 3.4.2, algorithm S): one pass, no memory, every subset equally likely.
void hide_exactly(std::span<bool> keep, double ratio, RandomStream& stream) {
  auto left = static_cast<std::uint32_t>(keep.size());
  auto to_hide = static_cast<std::uint32_t>(std::lround(ratio * static_cast<double>(left)));
  for (bool& visible : keep) {
    const bool hidden = to_hide > 0 && (to_hide == left || below(stream, left) < to_hide);
    visible = !hidden;
    to_hide -= hidden ? 1 : 0;
    --left;
  }
}

}  // namespace

void draw_units(std::span<bool> keep, double ratio, bool exact, RandomStream stream) {
  if (!(ratio >= 0 && ratio <= 1)) fail(ExitCode::usage, "mask: ratio: got {}, expected 0 to 1", ratio);
  MGD_ASSERT(keep.size() < (std::size_t{1} << 32));
  if (exact) return hide_exactly(keep, ratio, stream);
  // 64 bits: the threshold of ratio 1 is 2^32, which every word is below.
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(ratio, 32));
  for (bool& visible : keep) visible = stream.next_u32() >= threshold;
}

at::Tensor draw_batch(std::int64_t num_units, double ratio, bool exact, const MaskDraw& draw) {
  MGD_ASSERT(num_units >= 0);
  const auto n = static_cast<std::size_t>(num_units);
  at::Tensor keep = at::empty({static_cast<std::int64_t>(draw.sample_ids.size()), num_units}, at::kBool);
  bool* row = keep.mutable_data_ptr<bool>();
  for (std::int64_t id : draw.sample_ids) {
    draw_units({row, n}, ratio, exact, RandomStream(draw.key, draw.step, static_cast<std::uint64_t>(id)));
    row += n;
  }
  return keep;
}

at::Tensor draw_rows(const RowsShape& shape, std::int64_t units_of_row, double ratio, bool exact,
                     const MaskDraw& draw) {
  MGD_ASSERT(shape.offsets.size() == draw.sample_ids.size() + 1);
  at::Tensor keep = at::empty({shape.offsets.back(), units_of_row}, at::kBool);
  bool* place = keep.mutable_data_ptr<bool>();
  for (std::size_t s = 0; s < draw.sample_ids.size(); ++s) {
    const auto n = static_cast<std::size_t>((shape.offsets[s + 1] - shape.offsets[s]) * units_of_row);
    draw_units({place, n}, ratio, exact,
               RandomStream(draw.key, draw.step, static_cast<std::uint64_t>(draw.sample_ids[s])));
    place += n;
  }
  return keep;
}

void refuse_rows(const char* sampler) {
  fail(ExitCode::usage,
       "mask: {} hides parts of maps, and the node has rows; use token, block, channel or element", sampler);
}

}  // namespace mgd
