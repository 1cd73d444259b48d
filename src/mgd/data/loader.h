// Batches in a deterministic order, prepared by background threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgd/data/augment.h"
#include "mgd/data/image_source.h"
#include "mgd/types/batch.h"

namespace mgd {

struct LoaderOptions {
  std::int64_t batch_size = 128;      // samples of one optimizer step
  std::int64_t micro_batch_size = 0;  // 0 = batch_size
  bool shuffle = false;               // by (seed, epoch)
  bool drop_last = false;             // training: an incomplete last step is dropped
  std::uint64_t seed = 1;
  std::int64_t threads = 2;  // 0: prepared in the caller's thread
  std::int64_t prefetch_steps = 4;
  std::vector<double> mean, std;       // one a channel; input = (pixel / 255 - mean) / std
  std::int64_t height = 0, width = 0;  // pictures are resized to this; 0 = the first sample's size
  bool channels_last = true;
  std::int64_t cache_mb = 1024;  // decoded pictures kept in memory
  // With views = K > 0 the augmentation of epoch e is that of view e % K, the same for every seed: a sample
  // then comes in K variants only, whose teacher outputs can be kept (train/teacher_cache.h). 0: new in every
  // epoch.
  std::int64_t views = 0;
  double max_corrupt_frac = 0.01;  // above: Error(bad_data)
  double stall_seconds = 300;      // no picture for so long: Error(io) naming the sample; 0 = wait for ever
};

// The samples of one optimizer step, already cut into micro-batches.
struct StepBatches {
  std::vector<Batch> micro;
  std::int64_t epoch = 0;  // 0-based
  std::int64_t step_in_epoch = 0;
  std::int64_t num_samples() const;
};

// Nothing depends on `threads` or `micro_batch_size` but time and memory: order, augmentation and mixing are
// functions of (seed, epoch, sample). Without `drop_last` each epoch holds every sample once; its last step
// may be smaller.
//
// A corrupt sample is replaced by the next good one in the dataset (a pure function of the data, so runs stay
// reproducible), counted, and listed by path. The stream has no end: after the last step of an epoch comes
// the first of the next.
class Loader {
 public:
  // `source` must outlive the loader. Throws Error(bad_data) for an empty source, Error(usage) for options
  // that do not fit, Error(environment) when a thread cannot be started.
  Loader(const ImageSource& source, AugmentChain augment, LoaderOptions options);
  ~Loader();  // waits for the pictures in work; a thread that hangs in a read (10 s) is left behind
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  std::int64_t steps_per_epoch() const;
  void seek(std::int64_t epoch, std::int64_t step_in_epoch);  // the next step to give; for resume
  // Blocks. Rethrows what a loader thread threw, with the sample's path; after that, seek() first.
  StepBatches next();

  double wait_seconds() const;                         // time next() has blocked since construction
  std::map<std::string, std::string> corrupt() const;  // sample name -> what was wrong

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mgd
