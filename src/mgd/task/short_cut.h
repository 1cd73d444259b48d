// What a task may offer to the training loop beside its batches.
#pragma once

#include <functional>
#include <string>

#include "mgd/eval/figures.h"
#include "mgd/types/batch.h"

namespace mgd {

// A way to a student's answers that does not run all of it in every step.
class ShortCut {
 public:
  virtual ~ShortCut() = default;
  // The training pass for this batch (batch.view is set), in a step that dropout draws by.
  virtual Record forward(const Batch& batch, std::int64_t step) = 0;
  virtual Figures measure(const std::string& split) = 0;  // as Task::measure of the student
  virtual std::string describe() const = 0;
};

// Of a run that was not started: steps that cost what its steps will cost.
struct Rehearsal {
  std::function<Batch(std::int64_t samples)> noise;  // of the shapes of training, on the device
  double kept_bytes = 0;                             // of samples that stay in memory
  std::string samples;                               // "pictures of 32 x 32"
  // What makes each sample take `share` of its memory, as an option to write; "": nothing does.
  std::function<std::string(double share)> smaller;
};

}  // namespace mgd
