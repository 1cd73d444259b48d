#include "mgd/data/sample_cache.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/format/archive_tree.h"

namespace mgd {

SampleCache::SampleCache(const ImageSource& source, std::int64_t max_bytes, double max_corrupt_frac)
    : source_(source),
      max_bytes_(max_bytes),
      max_corrupt_(std::max<std::int64_t>(
          1, static_cast<std::int64_t>(std::floor(max_corrupt_frac * static_cast<double>(source.size()))))),
      slots_(static_cast<std::size_t>(source.size())) {}

SampleCache::~SampleCache() {
  for (auto& slot : slots_) delete slot.load();
}

std::shared_ptr<const Image> SampleCache::get(std::int64_t& index) {
  const auto n = static_cast<std::int64_t>(slots_.size());
  for (std::int64_t tries = 0; tries < n; ++tries, index = (index + 1) % n)
    if (auto image = find(index)) return image;
  const std::lock_guard lock(mutex_);
  const auto& [name, what] = corrupt_.begin()->second;
  fail(ExitCode::bad_data, "data: none of {} samples could be read, e.g. {}: {}", n, printable(name), what);
}

std::shared_ptr<const Image> SampleCache::find(std::int64_t index) {
  const auto& slot = slots_[static_cast<std::size_t>(index)];
  // A pointer without an owner: no count to touch, and the cache outlives every user.
  if (const Image* kept = slot.load(std::memory_order_acquire)) return {std::shared_ptr<void>(), kept};
  if (is_marked(index)) return nullptr;
  try {
    return keep(index, source_.image(index));
  } catch (const Error& e) {
    if (e.code() != ExitCode::bad_data) throw;
    mark(index, e.what());
  }
  return nullptr;
}

std::shared_ptr<const Image> SampleCache::keep(std::int64_t index, Image image) {
  if (prepare_) image = prepare_(std::move(image));
  const auto bytes = static_cast<std::int64_t>(image.pixels.size() + sizeof(Image));
  if (used_bytes_.fetch_add(bytes) + bytes > max_bytes_) {
    used_bytes_.fetch_sub(bytes);
    return std::make_shared<const Image>(std::move(image));
  }
  auto fresh = std::make_unique<const Image>(std::move(image));
  const Image* kept = nullptr;
  auto& slot = slots_[static_cast<std::size_t>(index)];
  if (slot.compare_exchange_strong(kept, fresh.get(), std::memory_order_acq_rel)) {
    kept = fresh.release();
  } else {
    used_bytes_.fetch_sub(bytes);
  }
  return {std::shared_ptr<void>(), kept};
}

// Asked again whenever one of them is met: the batch whose making found the limit exceeded may have been
// thrown away unread, by a seek or at the end of a run.
bool SampleCache::is_marked(std::int64_t index) const {
  const std::lock_guard lock(mutex_);
  if (!corrupt_.contains(index)) return false;
  require_few();
  return true;
}

void SampleCache::mark(std::int64_t index, const std::string& what) {
  const std::string name = printable(source_.name(index));
  const bool named = what.starts_with(name + ": ");
  const std::lock_guard lock(mutex_);
  corrupt_.try_emplace(index, source_.name(index), named ? what.substr(name.size() + 2) : what);
  require_few();
}

void SampleCache::require_few() const {
  if (static_cast<std::int64_t>(corrupt_.size()) <= max_corrupt_) return;
  std::string list;
  int shown = 0;
  for (const auto& [i, entry] : corrupt_) {
    if (++shown > 5) break;
    list += fmt::format("\n  {}: {}", printable(entry.first), entry.second);
  }
  fail(ExitCode::bad_data, "data: {} of {} samples are corrupt, at most {} allowed:{}", corrupt_.size(),
       slots_.size(), max_corrupt_, list);
}

std::map<std::string, std::string> SampleCache::corrupt() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> out;
  for (const auto& [i, entry] : corrupt_) out.insert(entry);
  return out;
}

}  // namespace mgd
