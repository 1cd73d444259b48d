// Where the teacher's outputs come from: its cache, or itself.
#pragma once

#include "mgd/train/run.h"

namespace mgd {

// Teacher's logits and taps, without gradient; in eval mode unless `train.teacher_norm: batch`. With a cache,
// samples of a view that are kept come from there, and the others go there. In eval mode on pictures a
// sample's outputs do not depend, bit for bit, on what else is in the batch, nor on its size.
Record teacher_forward(Run& run, const Batch& batch);

// Pictures of one pass of the teacher: the same in every step of a run.
std::int64_t teacher_slice(const Run& run);

// Computes what no epoch has asked for: each leaves out the samples that fill no batch. Gives the number of
// samples added.
std::int64_t complete_teacher_cache(Run& run);

}  // namespace mgd
