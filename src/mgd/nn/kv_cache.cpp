#include "mgd/nn/kv_cache.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

KvCache::KvCache(std::int64_t layers, std::int64_t sequences)
    : lengths_(static_cast<std::size_t>(sequences), 0), layers_(static_cast<std::size_t>(layers)) {}

void KvCache::grow(std::int64_t capacity) {
  for (Layer& layer : layers_) {
    for (at::Tensor* held : {&layer.k, &layer.v}) {
      if (!held->defined()) continue;
      const std::int64_t S = num_sequences(), H = held->size(1), D = held->size(2);
      at::Tensor larger = at::empty({S, capacity, H, D}, held->options());
      larger.narrow(1, 0, capacity_).copy_(held->view({S, capacity_, H, D}));
      *held = larger.view({S * capacity, H, D});
    }
  }
  capacity_ = capacity;
}

void KvCache::select(const std::vector<std::int64_t>& sequences) {
  std::vector<std::int64_t> lengths;
  std::vector<AttentionSegment> source_segments;
  for (const std::int64_t s : sequences) {
    if (s < 0 || s >= num_sequences())
      fail(ExitCode::usage, "cache: select: got sequence {}, expected 0 to {}", s, num_sequences() - 1);
    lengths.push_back(lengths_[static_cast<std::size_t>(s)]);
    if (has_source()) source_segments.push_back(source_segments_[static_cast<std::size_t>(s)]);
  }
  const at::Tensor index = at::tensor(sequences, at::kLong);
  for (Layer& layer : layers_) {
    for (at::Tensor* held : {&layer.k, &layer.v}) {
      if (!held->defined()) continue;
      const std::int64_t S = num_sequences(), H = held->size(1), D = held->size(2);
      *held = held->view({S, capacity_, H, D}).index_select(0, index.to(held->device())).view({-1, H, D});
    }
  }
  lengths_ = std::move(lengths);
  source_segments_ = std::move(source_segments);
}

void KvCache::truncate(const std::vector<std::int64_t>& lengths) {
  require_one_each(lengths.size(), "lengths");
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    if (lengths[s] < 0 || lengths[s] > lengths_[s])
      fail(ExitCode::usage, "cache: truncate: got {} tokens of sequence {}, expected 0 to the {} it holds",
           lengths[s], s, lengths_[s]);
    lengths_[s] = lengths[s];
  }
}

void KvCache::require_one_each(std::size_t got, const char* what) const {
  if (got != lengths_.size())
    fail(ExitCode::usage, "cache: got {} of {} sequences, expected those of {}", what, got, lengths_.size());
}

void KvCache::begin(const std::vector<std::int64_t>& offsets) {
  require_one_each(offsets.size() - 1, "offsets");
  std::int64_t longest = 0;
  for (std::size_t s = 0; s < lengths_.size(); ++s)
    longest = std::max(longest, lengths_[s] + offsets[s + 1] - offsets[s]);
  constexpr std::int64_t kLeast = 16;
  if (longest > capacity_) grow(std::max({longest, 2 * capacity_, kLeast}));

  segments_.clear();
  std::vector<std::int64_t> rows;
  for (std::size_t s = 0; s < lengths_.size(); ++s) {
    const std::int64_t first = static_cast<std::int64_t>(s) * capacity_, fresh = offsets[s + 1] - offsets[s];
    for (std::int64_t t = 0; t < fresh; ++t) rows.push_back(first + lengths_[s] + t);
    lengths_[s] += fresh;
    segments_.push_back({.q_begin = offsets[s],
                         .q_length = fresh,
                         .k_begin = first,
                         .k_length = lengths_[s],
                         .id = static_cast<std::int64_t>(s)});
    if (has_source()) {
      source_segments_[s].q_begin = offsets[s];
      source_segments_[s].q_length = fresh;
    }
  }
  rows_ = at::tensor(rows, at::kLong);
}

const KvCache::Layer& KvCache::append(std::int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  Layer& held = layers_.at(static_cast<std::size_t>(layer));
  const auto store = [&](at::Tensor& all, const at::Tensor& fresh) {
    if (!all.defined())
      all = at::empty({num_sequences() * capacity_, fresh.size(1), fresh.size(2)}, fresh.options());
    all.index_copy_(0, rows_.to(all.device()), fresh);
  };
  store(held.k, k);
  store(held.v, v);
  return held;
}

void KvCache::set_source(std::vector<Layer> layers, const std::vector<std::int64_t>& offsets) {
  require_one_each(offsets.size() - 1, "offsets");
  MGD_ASSERT(!layers.empty());
  source_ = std::move(layers);
  source_segments_.clear();
  for (std::size_t s = 0; s < lengths_.size(); ++s)
    source_segments_.push_back(
        {.k_begin = offsets[s], .k_length = offsets[s + 1] - offsets[s], .id = static_cast<std::int64_t>(s)});
}

}  // namespace mgd
