// What the samplers share: who of n units is hidden in one sample.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "mgd/mask/sampler.h"

namespace mgd {

// {C, Y, X} of one sample. Throws Error(usage) when the node is no map, e.g. the {K} of logits.
struct MapShape {
  std::int64_t channels = 0, height = 0, width = 0;
  static MapShape of(const std::vector<std::int64_t>& shape, const char* sampler);
};

// Fills keep[0 ... n-1] for one sample, true = visible. `exact` hides round(ratio * n) units, every subset of
// that size being equally likely; otherwise each unit is hidden by itself with probability `ratio`
// (resolution 2^-32). No unit: nothing happens. ratio in [0, 1]; 0 and 1 are certain.
void draw_units(std::span<bool> keep, double ratio, bool exact, RandomStream stream);

// (B, n) bool on the CPU: draw_units for each sample of the batch, from a stream of its own.
at::Tensor draw_batch(std::int64_t num_units, double ratio, bool exact, const MaskDraw& draw);

// (N, units_of_row) bool on the CPU: draw_units for the T * units_of_row units of each sequence, from a
// stream of its own.
at::Tensor draw_rows(const RowsShape& shape, std::int64_t units_of_row, double ratio, bool exact,
                     const MaskDraw& draw);

// Throws Error(usage): the sampler hides parts of maps, and the node has rows.
[[noreturn]] void refuse_rows(const char* sampler);

// One for each sampler of the list in sampler.cpp.
std::unique_ptr<MaskSampler> make_channel_sampler(const MaskOptions& options);
std::unique_ptr<MaskSampler> make_spatial_sampler(const MaskOptions& options);
std::unique_ptr<MaskSampler> make_element_sampler(const MaskOptions& options);
std::unique_ptr<MaskSampler> make_token_sampler(const MaskOptions& options);
std::unique_ptr<MaskSampler> make_block_sampler(const MaskOptions& options);
std::unique_ptr<MaskSampler> make_importance_sampler(const MaskOptions& options);

}  // namespace mgd
