#include "mgd/mask/mask_source.h"

namespace mgd {

MaskSource::MaskSource(MaskOptions options, std::uint64_t seed, const std::string& label)
    : options_(std::move(options)),
      sampler_(make_sampler(options_)),
      key_(random_key(seed, "mask/" + label)) {}

at::Tensor MaskSource::draw(const NodeInfo& node, const Batch& batch, std::uint32_t step,
                            double progress_frac, const at::Tensor& scores) const {
  const double ratio = options_.ratio_at(progress_frac);
  if (node.axes != Axes::rows)
    return sampler_->sample(node.sizes, ratio,
                            {.key = key_, .step = step, .sample_ids = batch.sample_ids, .scores = scores});
  const PackedTokens& tokens = tokens_of(node, batch);
  const std::vector<std::int64_t> keys = sequence_keys(batch, tokens.num_sequences());
  return sampler_->sample_rows({.width = node.sizes.at(0), .offsets = tokens.offsets}, ratio,
                               {.key = key_, .step = step, .sample_ids = keys, .scores = {}});
}

}  // namespace mgd
