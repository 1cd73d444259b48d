// Whether an exported file answers as its model does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/export/onnxruntime.h"

namespace mgd {

// Largest difference of logits that is rounding, relative to the largest logit of a sample.
inline constexpr double kMostDifference = 1e-4;

struct Samples {
  std::vector<at::Tensor> pictures;  // batches (B, C, Y, X)
  std::vector<std::int64_t> labels;  // of all, in order; empty where nobody knows them

  std::int64_t size() const;
};

struct Agreement {
  double difference = 0;               // relative_difference of all logits
  std::int64_t samples = 0, same = 0;  // same: the predicted class
};
// Both: logits (B, K) of the same batches.
Agreement agreement(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& expected);

// Share of right predictions, 0 ... 1. labels: one a sample; at least one.
double accuracy_of(const std::vector<at::Tensor>& logits, const std::vector<std::int64_t>& labels);

// The file's answers, in calls of bounded size.
RuntimeAnswers answers_of(const OnnxRuntime& runtime, const fs::path& file,
                          const std::vector<at::Tensor>& batches, int threads);

}  // namespace mgd
