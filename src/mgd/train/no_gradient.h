// Runs in which nothing is learned: a weight of 0 everywhere, and gradients that are exactly zero.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/train/run.h"

namespace mgd {

// Throws Error(usage) with the place of the first loss when all have the weight 0, for themselves or by the
// factor of their part.
void refuse_no_weight(const Run& run);

// Whether the losses move the student at all, in the first steps. State is plain so that a checkpoint can
// hold it.
struct NoGradient {
  std::int64_t steps = 0;  // applied so far, in all of which the gradient was exactly zero
  bool learns = false;     // one was not: nothing is looked at from then on
  std::string told;        // what was said; "" = nothing

  // One step may have nothing to learn from: a text of which no token was hidden.
  static constexpr std::int64_t kStepsToTell = 10;

  // After a step, while its gradients are there. Gives the line to tell, once. Only the student
  // counts: the blocks of a loss have gradients of their own. `last`: no step follows.
  std::vector<std::string> add(const Run& run, bool last);
};

}  // namespace mgd
