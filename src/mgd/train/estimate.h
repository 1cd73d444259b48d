// What a run will need of memory and time, measured on its own models before the first step.
#pragma once

#include <cstdint>
#include <string>

#include "mgd/train/run.h"

namespace mgd {

struct RunEstimate {
  bool measured = false;         // false: too small a run to be worth a look, or none of pictures
  std::int64_t micro_batch = 0;  // samples of one pass
  double sample_bytes = 0;       // what a sample adds to the most that a pass holds at once
  double fixed_bytes = 0;        // what does not depend on the micro-batch: optimizer, kept pictures, ...
  double free_bytes = 0;         // of the machine, before any of it is taken
  double step_seconds = 0;       // one update, without a teacher whose answers are kept
  double teacher_seconds = 0;    // of all answers that a cache does not have yet
  std::int64_t steps = 0;

  double bytes() const { return fixed_bytes + sample_bytes * static_cast<double>(micro_batch); }
  double seconds() const { return step_seconds * static_cast<double>(steps) + teacher_seconds; }
  bool fits() const { return bytes() <= free_bytes; }
};

// Runs the student forward and back, and the teacher forward, on a few samples of noise; weights, statistics
// and gradients are afterwards what they were. Takes about a second at most, and nothing for runs whose
// arithmetic and activations are too small to matter, unless `always`.
RunEstimate estimate_run(Run& run, bool always);

// "memory about 3.1 GiB of 20.2 GiB free, 0.42 s a step, about 12 min for 1720 steps"
std::string describe(const RunEstimate& estimate);

// Throws Error(out_of_memory) with the micro-batch and the image size that would fit.
void refuse_what_cannot_fit(const Run& run, const RunEstimate& estimate);

}  // namespace mgd
