// What can be known to be wrong before the first step.
#pragma once

#include <string>

#include "mgd/train/run.h"

namespace mgd {

struct Preflight {
  double teacher_accuracy = -1;  // 0..1 on `samples` plain training samples; -1 without a teacher
  std::int64_t samples = 0;
};

// Of a teacher of several, by its name.
struct NamedPreflight {
  std::string teacher;
  Preflight result;
  bool loaded = true;  // false: as its cache has noted
};

// Shows the teacher one batch without augmentation. Throws Error(usage) when its logits are not finite, or
// when it does no better than guessing (untrained, wrong normalisation, classes in another order) and
// train.check_teacher is on. A teacher that is not loaded is judged by what its cache has noted.
std::vector<NamedPreflight> preflight_all(Run& run);
// The same; of the first teacher. Nothing where there is none, or no class to be right about.
Preflight preflight(Run& run);

}  // namespace mgd
