// What a masked convolution computes: which input is visible, and which output rows it meets.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "mgd/kernels/masked_conv.h"

namespace mgd {

// Which places of a map a mask hides together.
enum class MaskKind { positions, channels, elements };

// By the shape of `keep`, which broadcasts to (B, C, Y, X): (., 1, Y, X), (., C, 1, 1), or else.
MaskKind mask_kind(const at::Tensor& keep);

// Samples are gathered until a segment has this many visible rows: enough to use a piece of the weights
// often, few enough that they stay in the second-level cache.
inline constexpr std::int64_t kSegmentRows = 512;

// Neighbouring samples that are computed together.
struct ConvSegment {
  std::int64_t first_position = 0, num_positions = 0;  // of the map
  std::int64_t first_value = 0;                        // of its compact input
  VisiblePart part;                                    // positions count from first_position
  ConvPairs pairs;
};

// Segments point into the vectors; moving a plan keeps them valid.
struct ConvPlan {
  ConvPlan() = default;
  ConvPlan(ConvPlan&&) = default;
  ConvPlan& operator=(ConvPlan&&) = default;

  std::vector<ConvSegment> segments;
  bool by_channel = false;      // channels are hidden, not positions
  std::int64_t num_values = 0;  // of all compact inputs

  std::vector<std::int32_t> positions, channels, input, output;
  std::vector<std::int64_t> begin;

  bool hides_nothing() const;
  // Multiply-accumulates of one pass by the formula: visible values x taps inside the map x out_channels.
  std::int64_t macs(std::int64_t out_channels) const;
};

// keep bool, contiguous on the CPU, (B, 1, Y, X) or (B, C, 1, 1); an elements mask is planned by the
// positions that are visible in any channel. channels: C of the map.
ConvPlan plan_visible_positions(const at::Tensor& keep, std::int64_t channels);
ConvPlan plan_visible_channels(const at::Tensor& keep, std::int64_t height, std::int64_t width);

}  // namespace mgd
