#include "mgd/mask/mask_source.h"

namespace mgd {

MaskSource::MaskSource(MaskOptions options, std::uint64_t seed, const std::string& label)
    : options_(std::move(options)),
      sampler_(make_sampler(options_)),
      key_(random_key(seed, "mask/" + label)) {}

at::Tensor MaskSource::draw(const std::vector<std::int64_t>& shape, std::uint32_t step, double progress_frac,
                            std::span<const std::int64_t> sample_ids, const at::Tensor& scores) const {
  return sampler_->sample(shape, options_.ratio_at(progress_frac),
                          {.key = key_, .step = step, .sample_ids = sample_ids, .scores = scores});
}

}  // namespace mgd
