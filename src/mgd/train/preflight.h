// What can be known to be wrong before the first step.
#pragma once

#include <vector>

#include "mgd/train/run.h"

namespace mgd {

struct Preflight {
  double teacher_accuracy = -1;  // 0..1 on `samples` plain training samples; -1 without a teacher
  std::int64_t samples = 0;
  bool noted = false;  // by its cache; the teacher was not loaded
};

// Of each teacher of a classifier, in the order of Run::teachers; one of other classes has no samples. Shows
// it one batch without augmentation. Throws Error(usage) when its logits are not finite, or when it does no
// better than guessing (untrained, wrong normalisation, classes in another order) and train.check_teacher is
// on. A teacher that is not loaded is judged by what its cache has noted.
std::vector<Preflight> preflight(Run& run);

}  // namespace mgd
