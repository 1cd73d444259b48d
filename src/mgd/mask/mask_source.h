// One place of a recipe that asks for masks: its options, its sampler and its random numbers.
#pragma once

#include <string>

#include "mgd/mask/sampler.h"
#include "mgd/types/batch.h"

namespace mgd {

class MaskSource {
 public:
  // `label` is unique in a run. Throws Error(usage) for an unknown sampler.
  MaskSource(MaskOptions options, std::uint64_t seed, const std::string& label);

  const MaskOptions& options() const { return options_; }

  // MaskSampler::sample or sample_rows, by the node's axes, with the ratio of this moment of the run (0 ...
  // 1), fresh every step. `scores`: see MaskDraw; of maps.
  at::Tensor draw(const NodeInfo& node, const Batch& batch, std::uint32_t step, double progress_frac,
                  const at::Tensor& scores = {}) const;

 private:
  MaskOptions options_;
  std::unique_ptr<MaskSampler> sampler_;
  PhiloxKey key_;
};

}  // namespace mgd
