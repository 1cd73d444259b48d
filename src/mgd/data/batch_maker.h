// Sample numbers -> one micro-batch.
#pragma once

#include <atomic>

#include "mgd/data/collate.h"
#include "mgd/data/loader.h"
#include "mgd/data/sample_cache.h"

namespace mgd {

// Thread-safe: what a thread needs for itself lies in its Bench.
class BatchMaker {
 public:
  // What one thread works with, and what others may see of its work.
  struct Bench {
    struct Slot {
      std::shared_ptr<const Image> held;
      Image work, spare;
    };
    Slot first, second;  // the sample and its partner in a mix
    Image pasted;
    std::vector<float> mixed;
    std::atomic<std::int64_t> sample{-1};  // being read; -1: none
    std::atomic<std::int64_t> done{0};     // pictures finished
    std::atomic<bool> stop{false};         // make() then ends early with what it has
  };

  BatchMaker(const ImageSource& source, AugmentChain augment, const LoaderOptions& options);

  Batch make(std::vector<std::int64_t> samples, std::int64_t epoch, Bench& bench);
  std::map<std::string, std::string> corrupt() const { return cache_.corrupt(); }

 private:
  const Image& picture(std::int64_t& index, std::int64_t epoch, Bench& bench, Bench::Slot& slot);
  struct MixedRow {
    float* input;  // (C, Y, X) or (Y, X, C)
    float* probs;  // (K), zeros
  };
  void mix(const Image& image, std::int64_t index, std::int64_t epoch, Bench& bench, MixedRow row);

  const ImageSource& source_;
  const AugmentChain augment_;
  SampleCache cache_;
  const Normaliser normaliser_;
  const std::vector<PhiloxKey> keys_;
  const PhiloxKey mix_key_;
  const bool channels_last_;
  const std::int64_t views_;
  PictureSize size_;
};

}  // namespace mgd
