// What a model says of a split.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "mgd/eval/classify.h"
#include "mgd/eval/figures.h"

namespace mgd {

struct ModelAnswers {
  Figures figures = {};
  // Classifiers of pictures: every answer, and what can be counted of them.
  at::Tensor logits = {};                  // (N, K)
  std::vector<std::int64_t> samples = {};  // N, numbers of the samples that could be read
  ClassifyMetrics classes = {};
};

}  // namespace mgd
