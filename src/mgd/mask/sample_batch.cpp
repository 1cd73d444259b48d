#include "mgd/mask/objectives.h"

namespace mgd {

Batch batch_of(std::span<const TextSample> samples) {
  Batch batch;
  for (const TextSample& sample : samples) {
    batch.sample_ids.push_back(sample.id);
    for (std::size_t k = 0; k < sample.sequences.size(); ++k)
      batch.sequence_ids.push_back(sample.id + (static_cast<std::int64_t>(k) << kSequenceShift));
  }
  return batch;
}

RandomStream sample_stream(PhiloxKey key, const ObjectiveConfig& config, std::int64_t epoch,
                           std::int64_t sample) {
  if (config.variants > 0) epoch %= config.variants;
  return {key, static_cast<std::uint32_t>(epoch), static_cast<std::uint64_t>(sample)};
}

}  // namespace mgd
