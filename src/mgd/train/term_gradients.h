// How large the gradient of each term of a step is, where the terms meet: at the student's parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "mgd/nn/module.h"

namespace mgd {

// One loss of a step, with its graph.
struct StepTerm {
  std::string label;
  double weight = 0;  // the one that its warm-up leads to
  double count = 0;   // of the whole step
  at::Tensor sum;     // scalar, unweighted; of the whole step, or of one micro-batch of it
};

struct TermGradient {
  std::string label;
  double weight = 0;
  bool reaches = false;  // any parameter of the student that trains
  double norm = 0;       // of weight / count * d sum
};

// One for each label, in the order of their first terms; sums of one label are added up. The norm is taken
// over the parameters that every term reaches, of those that reach any (the last shared layer of GradNorm,
// Chen et al. 2018, section 3, is a part of them); over all parameters where no single one is reached by
// every term. Empty where a gradient is not finite. Graphs stay usable, .grad is not touched: a backward pass
// over the same graphs afterwards gives what it gives without this, to the last bit. A pass over the student
// a term. parameters: those of the student; frozen ones are left out.
std::vector<TermGradient> term_gradients(const std::vector<StepTerm>& terms,
                                         const std::vector<NamedTensor>& parameters);

}  // namespace mgd
