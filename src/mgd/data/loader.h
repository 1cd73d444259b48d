// Batches of pictures in a deterministic order, prepared by background threads.
#pragma once

#include <cstdint>
#include <vector>

#include "mgd/data/augment.h"
#include "mgd/data/eval_transform.h"
#include "mgd/data/image_source.h"
#include "mgd/data/queued_stream.h"

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
  std::int64_t height = 0, width = 0;  // of every batch; 0 = as stored, when all pictures have one size
  EvalTransform view;                  // how a picture gets there, unless the augmentation cuts by itself
  bool channels_last = true;
  std::int64_t cache_mb = 1024;  // decoded pictures kept in memory
  // With views = K > 0 the augmentation of epoch e is that of view e % K, the same for every seed: a sample
  // then comes in K variants only, whose teacher outputs can be kept (teach/teacher_cache.h). 0: new in every
  // epoch.
  std::int64_t views = 0;
  double max_corrupt_frac = 0.01;  // above: Error(bad_data)
  bool replace_corrupt = true;     // false: left out of their batch, which is then smaller, or empty
  double stall_seconds = 300;      // no picture for so long: Error(io) naming the sample; 0 = wait for ever
};

// The short side at which pictures are kept for an augmentation whose shortest cut is `shortest_cut` of the
// short side (AugmentChain::shortest_cut, > 0): the smallest cut still has every pixel that a model of `size`
// sees, up to twice that size; above, a picture loses details that only a few cuts could show.
std::int64_t kept_short_side(PictureSize size, double shortest_cut);

// Nothing depends on `threads` or `micro_batch_size` but time and memory: order, augmentation and mixing are
// functions of (seed, epoch, sample).
//
// With an augmentation that cuts from the stored picture (random_resized_crop), pictures are kept at a short
// side of at most kept_short_side(): decoded once, and small enough for many to stay in memory.
//
// A corrupt sample is replaced by the next good one in the dataset (a pure function of the data, so runs stay
// reproducible), counted, and listed by path. Measures leave it out instead: its neighbour would count twice.
class Loader final : public QueuedStream {
 public:
  // `source` must outlive the loader, and a thread of it that hangs: one held by a shared pointer does.
  // Throws like QueuedStream, Error(usage) for mean and std that do not fit.
  Loader(const ImageSource& source, AugmentChain augment, LoaderOptions options);
};

}  // namespace mgd
