#include "mgd/eval/unigram.h"

#include <cmath>

#include "mgd/core/error.h"

namespace mgd {

UnigramModel::UnigramModel(std::int64_t vocab_size) : counts_(static_cast<std::size_t>(vocab_size)) {}

void UnigramModel::count(std::span<const std::int64_t> ids) {
  for (const std::int64_t id : ids) {
    MGD_ASSERT(id >= 0 && id < static_cast<std::int64_t>(counts_.size()));
    ++counts_[static_cast<std::size_t>(id)];
  }
  total_ += static_cast<std::int64_t>(ids.size());
}

double UnigramModel::nats(std::int64_t id) const {
  const auto n = static_cast<double>(counts_.at(static_cast<std::size_t>(id)));
  return std::log(static_cast<double>(total_) + static_cast<double>(counts_.size())) - std::log(n + 1);
}

double UnigramModel::mean_nats(std::span<const std::int64_t> ids) const {
  double sum = 0;
  for (const std::int64_t id : ids) sum += nats(id);
  return ids.empty() ? 0 : sum / static_cast<double>(ids.size());
}

}  // namespace mgd
