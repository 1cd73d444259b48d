// Who gets hidden: samplers of keep-masks (true = visible). See docs/masks.md for the contract.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/format/options.h"
#include "mgd/types/value.h"

namespace mgd {

// Where a draw belongs. The key comes from random_key(seed, "mask/" + label).
struct MaskDraw {
  PhiloxKey key;
  std::uint32_t step = 0;                    // optimizer step: masks are fresh every step
  std::span<const std::int64_t> sample_ids;  // B
  // (B, Y*X) double: logarithms of what each position weighs, for the samplers that choose by it. Undefined:
  // all weigh the same.
  at::Tensor scores{};
};

// Rows of S sequences, end to end, each `width` values wide.
struct RowsShape {
  std::int64_t width = 0;
  std::span<const std::int64_t> offsets;  // S + 1, from 0 to N
};

class MaskSampler {
 public:
  virtual ~MaskSampler() = default;

  // shape {C, Y, X} of one sample; Error(usage) for token, whose units are rows. Returns a bool tensor on the
  // CPU, true = visible, that broadcasts to (B, C, Y, X): (B, C, 1, 1) for channel, (B, 1, Y, X) for spatial
  // and block, (B, C, Y, X) for element. `ratio` in [0, 1] is the expected hidden fraction: 0 hides nothing,
  // 1 everything.
  virtual at::Tensor sample(const std::vector<std::int64_t>& shape, double ratio,
                            const MaskDraw& draw) const = 0;

  // The same for rows (N, H); draw.sample_ids has a key for each of the S sequences, so that neither padding
  // nor packing changes what is hidden. Broadcasts to (N, H): (N, 1) for token and block (stretches of size
  // tokens), (N, H) for channel (which are those of a whole sequence) and element. Error(usage) for a sampler
  // whose units are parts of maps.
  virtual at::Tensor sample_rows(const RowsShape& shape, double ratio, const MaskDraw& draw) const = 0;
};

// What a recipe says of a mask: `mask: block, mask_ratio: 0.25, size: 4, exact: false`.
struct MaskOptions {
  std::string mask = "channel";
  double mask_ratio = 0.5;
  double mask_ratio_end = -1;  // linear from mask_ratio to this over the run; -1: constant
  std::int64_t size = 4;       // edge of a block, in positions of a map or tokens
  bool exact = false;          // hide round(ratio * n) of the n units instead of drawing each by itself
  void visit(OptionVisitor& v);

  double ratio_at(double progress_frac) const;  // progress in 0..1 of the run
};

std::unique_ptr<MaskSampler> make_sampler(
    const MaskOptions& options);  // unknown name: Error(usage), nearest named
std::vector<std::string> known_samplers();
// Those whose units a node of these axes has: of maps all but token; of rows token, block, channel and
// element.
std::vector<std::string> samplers_for(Axes axes);

// Whether a mask of this name looks at MaskDraw::scores. How many positions it hides does not depend on them.
bool chooses_by_scores(const std::string& mask);

}  // namespace mgd
