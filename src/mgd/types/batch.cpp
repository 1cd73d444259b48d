#include "mgd/types/batch.h"

#include <numeric>

namespace mgd {

std::vector<std::int64_t> sequence_keys(const Batch& batch, std::int64_t num_sequences) {
  if (!batch.sequence_ids.empty()) return batch.sequence_ids;
  if (batch.size() == num_sequences) return batch.sample_ids;
  std::vector<std::int64_t> places(static_cast<std::size_t>(num_sequences));
  std::iota(places.begin(), places.end(), std::int64_t{0});
  return places;
}

}  // namespace mgd
