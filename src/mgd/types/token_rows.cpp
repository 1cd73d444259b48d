#include "mgd/types/token_rows.h"

#include <ATen/ops/tensor.h>

namespace mgd {

std::int64_t TokenRows::add(std::span<const std::int64_t> ids, std::span<const std::int64_t> type_ids,
                            std::int64_t position) {
  const auto first = static_cast<std::int64_t>(ids_.size());
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    positions_.push_back(position + static_cast<std::int64_t>(t));
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

PackedTokens TokenRows::tokens(at::Device device) const {
  return {.ids = at::tensor(ids_, at::kLong).to(device),
          .positions = at::tensor(positions_, at::kLong).to(device),
          .type_ids = has_types_ ? at::tensor(type_ids_, at::kLong).to(device) : at::Tensor(),
          .offsets = offsets_};
}

at::Tensor TokenRows::target_rows() const {
  return target_rows_.size() == ids_.size() ? at::Tensor() : at::tensor(target_rows_, at::kLong);
}

at::Tensor TokenRows::target() const {
  return at::tensor(target_, at::kLong);
}

}  // namespace mgd
