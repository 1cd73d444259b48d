// The divergence of distillation, its softmaxes and its gradient in one pass over the logits.
#pragma once

#include <ATen/core/Tensor.h>

namespace mgd {

// T^2 KL(softmax(teacher / T) || softmax(student / T)), summed over rows, as a scalar; no gradient for
// `teacher`. Both (N, K), of one type; others: Error(usage). Float on the CPU is fused, with one scratch row
// a thread; everything else takes the operators one by one. NaN gives NaN. Independent of the number of
// threads. T^2 keeps the size of the gradient independent of T: Hinton et al., "Distilling the Knowledge in a
// Neural Network", section 2.
at::Tensor softmax_kl(const at::Tensor& student, const at::Tensor& teacher, double temperature);

}  // namespace mgd
