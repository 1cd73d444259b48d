#include <ATen/ops/tensor.h>

#include "mgd/mask/objectives.h"

namespace mgd {

std::int64_t TokenRows::add(std::span<const std::int64_t> ids, std::span<const std::int64_t> type_ids) {
  const auto first = static_cast<std::int64_t>(ids_.size());
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    positions_.push_back(static_cast<std::int64_t>(t));
    type_ids_.push_back(type_ids.empty() ? 0 : type_ids[t]);
    has_types_ = has_types_ || type_ids_.back() != 0;
  }
  offsets_.push_back(static_cast<std::int64_t>(ids_.size()));
  return first;
}

void TokenRows::add_target(std::int64_t row, std::int64_t id) {
  target_rows_.push_back(row);
  target_.push_back(id);
}

PackedTokens TokenRows::tokens() const {
  return {.ids = at::tensor(ids_, at::kLong),
          .positions = at::tensor(positions_, at::kLong),
          .type_ids = has_types_ ? at::tensor(type_ids_, at::kLong) : at::Tensor(),
          .offsets = offsets_};
}

at::Tensor TokenRows::target_rows() const {
  return target_rows_.size() == ids_.size() ? at::Tensor() : at::tensor(target_rows_, at::kLong);
}

at::Tensor TokenRows::target() const {
  return at::tensor(target_, at::kLong);
}

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
