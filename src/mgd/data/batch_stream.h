// Where the trainer gets its micro-batches from, whatever the data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mgd/types/batch.h"

namespace mgd {

// The samples of one optimizer step, already cut into micro-batches.
struct StepBatches {
  std::vector<Batch> micro;
  std::int64_t epoch = 0;  // 0-based
  std::int64_t step_in_epoch = 0;
  std::int64_t num_samples() const;
};

// The stream has no end: after the last step of an epoch comes the first of the next.
class BatchStream {
 public:
  virtual ~BatchStream() = default;

  virtual std::int64_t steps_per_epoch() const = 0;
  virtual void seek(std::int64_t epoch, std::int64_t step_in_epoch) = 0;  // the next step to give; for resume
  // Blocks. Rethrows what went wrong while the step was made, with the sample's name; after that, seek()
  // first.
  virtual StepBatches next() = 0;

  // From now on only the part of each step that falls to `rank` of `size`; the steps stay the same. The parts
  // of all ranks, in their order, are the step. Before the first next(). Throws Error(usage) where a step has
  // fewer samples than there are ranks, and of a stream that cannot be divided.
  virtual void take_part(int rank, int size);

  virtual double wait_seconds() const = 0;  // time next() has blocked since construction
  virtual std::map<std::string, std::string> corrupt() const = 0;  // sample name -> what was wrong
};

// These samples in this view, of a stream that gives one sample a step, in their order.
Batch numbered_samples(BatchStream& stream, std::int64_t view, std::span<const std::int64_t> samples);

}  // namespace mgd
