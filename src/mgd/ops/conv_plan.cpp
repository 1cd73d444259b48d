#include "mgd/ops/conv_plan.h"

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// Pairs of one segment at the end of the plan's vectors; they are bound to the segment when all are there.
void append_pairs(ConvPlan& plan, std::int64_t height, std::int64_t width, const std::int32_t* positions,
                  std::int64_t rows) {
  const std::size_t pairs = plan.input.size(), taps = plan.begin.size();
  plan.input.resize(pairs + static_cast<std::size_t>(kConvTaps * rows));
  plan.output.resize(plan.input.size());
  plan.begin.resize(taps + kConvTaps + 1);
  find_conv_pairs(height, width, positions, rows, plan.input.data() + pairs, plan.output.data() + pairs,
                  plan.begin.data() + taps);
}

}  // namespace

MaskKind mask_kind(const at::Tensor& keep) {
  MGD_ASSERT(keep.dim() == 4);
  if (keep.size(1) == 1) return MaskKind::positions;
  return keep.size(2) == 1 && keep.size(3) == 1 ? MaskKind::channels : MaskKind::elements;
}

ConvPlan plan_visible_positions(const at::Tensor& keep, std::int64_t channels) {
  const std::int64_t batch = keep.size(0), height = keep.size(2), width = keep.size(3), area = height * width;
  const bool* visible = keep.const_data_ptr<bool>();
  ConvPlan plan;
  ConvSegment segment;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t i = 0; i < area; ++i) {
      if (!visible[b * area + i]) continue;
      plan.positions.push_back(static_cast<std::int32_t>(b * area + i - segment.first_position));
      ++segment.part.rows;
    }
    segment.num_positions += area;
    if (segment.part.rows < kSegmentRows && b + 1 < batch) continue;
    segment.part.depth = channels;
    segment.first_value = plan.num_values;
    plan.num_values += segment.part.rows * channels;
    plan.segments.push_back(segment);
    segment = {.first_position = (b + 1) * area};
  }
  std::int64_t row = 0;
  for (ConvSegment& s : plan.segments) {
    s.part.positions = plan.positions.data() + row;
    append_pairs(plan, height, width, s.part.positions, s.part.rows);
    row += s.part.rows;
  }
  row = 0;
  for (std::size_t s = 0; s < plan.segments.size(); ++s) {
    plan.segments[s].pairs = {plan.input.data() + kConvTaps * row, plan.output.data() + kConvTaps * row,
                              plan.begin.data() + (kConvTaps + 1) * s};
    row += plan.segments[s].part.rows;
  }
  return plan;
}

ConvPlan plan_visible_channels(const at::Tensor& keep, std::int64_t height, std::int64_t width) {
  const std::int64_t batch = keep.size(0), channels = keep.size(1), area = height * width;
  const bool* visible = keep.const_data_ptr<bool>();
  ConvPlan plan;
  plan.by_channel = true;
  for (std::int64_t p = 0; p < area; ++p) plan.positions.push_back(static_cast<std::int32_t>(p));
  append_pairs(plan, height, width, plan.positions.data(), area);
  for (std::int64_t b = 0; b < batch; ++b) {
    ConvSegment segment{.first_position = b * area,
                        .num_positions = area,
                        .first_value = plan.num_values,
                        .pairs = {plan.input.data(), plan.output.data(), plan.begin.data()}};
    segment.part.rows = area;
    for (std::int64_t c = 0; c < channels; ++c) {
      if (!visible[b * channels + c]) continue;
      plan.channels.push_back(static_cast<std::int32_t>(c));
      ++segment.part.depth;
    }
    plan.num_values += area * segment.part.depth;
    plan.segments.push_back(segment);
  }
  std::int64_t first = 0;
  for (ConvSegment& s : plan.segments) {
    s.part.channels = plan.channels.data() + first;
    first += s.part.depth;
  }
  return plan;
}

bool ConvPlan::hides_nothing() const {
  return !by_channel && std::all_of(segments.begin(), segments.end(),
                                    [](const ConvSegment& s) { return s.part.rows == s.num_positions; });
}

std::int64_t ConvPlan::macs(std::int64_t out_channels) const {
  std::int64_t sum = 0;
  for (const ConvSegment& s : segments) sum += s.pairs.begin[kConvTaps] * s.part.depth;
  return sum * out_channels;
}

}  // namespace mgd
