// How near one model's answers come to another's, where no label says what is right.
#pragma once

#include "mgd/eval/classify.h"
#include "mgd/eval/figures.h"

namespace mgd {

// Of the samples that both could read, matched by their numbers:
//   agreement           share for which both have the same likeliest class, 0 ... 1
//   divergence          mean KL(softmax(teacher) || softmax(student)), nats
//   feature_similarity  see there, of Answers::inputs
// The first two with `of_classes` only, the last where both have inputs. No sample in common: no figures.
// Error(usage) for logits of different widths where they are compared.
Figures agreement(const Answers& student, const Answers& teacher, bool of_classes);

// Linear centred kernel alignment of rows (N, F) and (N, G), N >= 2, any widths: 0 ... 1, 1 where one is the
// other turned, moved and scaled; NaN where all rows of one are the same. In double. Kornblith et al.,
// "Similarity of Neural Network Representations Revisited", 2019, equation (3) with linear kernels.
double feature_similarity(const at::Tensor& a, const at::Tensor& b);

}  // namespace mgd
