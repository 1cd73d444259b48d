// Decoded pictures, kept within a budget, and the samples that could not be decoded.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mgd/data/image_source.h"

namespace mgd {

// Thread-safe. The first user of a slot publishes the picture with one compare-exchange; nobody ever waits
// for another.
class SampleCache {
 public:
  SampleCache(const ImageSource& source, std::int64_t max_bytes, double max_corrupt_frac);
  ~SampleCache();
  SampleCache(const SampleCache&) = delete;
  SampleCache& operator=(const SampleCache&) = delete;

  // What is done to a picture before it is kept. Call before the first get().
  void prepare_with(std::function<Image(Image)> prepare) { prepare_ = std::move(prepare); }

  // The picture of `index`, or of the next good sample after it (cyclic); `index` becomes the one used. The
  // picture lives at least as long as the cache or the pointer. Throws Error(bad_data) when more than max(1,
  // floor(max_corrupt_frac n)) samples are corrupt or none is good.
  std::shared_ptr<const Image> get(std::int64_t& index);
  // The picture of `index` alone; null when it is corrupt. Throws as get() does.
  std::shared_ptr<const Image> find(std::int64_t index);
  std::map<std::string, std::string> corrupt() const;  // sample name -> what was wrong

 private:
  std::shared_ptr<const Image> keep(std::int64_t index, Image image);
  void mark(std::int64_t index, const std::string& what);
  bool is_marked(std::int64_t index) const;
  void require_few() const;  // under the lock

  const ImageSource& source_;
  std::int64_t max_bytes_, max_corrupt_;
  std::function<Image(Image)> prepare_;
  std::vector<std::atomic<const Image*>> slots_;
  std::atomic<std::int64_t> used_bytes_{0};
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::pair<std::string, std::string>> corrupt_;  // index -> name, what
};

}  // namespace mgd
