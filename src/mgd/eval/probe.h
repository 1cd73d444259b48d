// What frozen features say of classes: by a linear classifier, and by the nearest neighbours.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace mgd {

struct LabelledFeatures {
  at::Tensor rows;    // (N, F) float
  at::Tensor labels;  // (N) int64, 0 ... num_classes - 1
};

// Brings features to mean 0 and deviation 1, those of `of`; what does not vary becomes 0.
class Standardiser {
 public:
  explicit Standardiser(const at::Tensor& of);          // (N, F), N >= 1
  at::Tensor operator()(const at::Tensor& rows) const;  // (M, F) -> (M, F) double

 private:
  at::Tensor mean_, scale_;  // (1, F)
};

struct LinearProbe {
  at::Tensor weight, bias;  // (K, F), (K) double
};

// Multinomial logistic regression: the minimum of mean cross-entropy + l2 / 2 |weight|^2, which is unique,
// from zeros by L-BFGS until the largest entry of the gradient is below 1e-6, at most 500 iterations. rows
// (N, F), labels (N). l2 > 0.
LinearProbe fit_linear(const at::Tensor& rows, const at::Tensor& labels, std::int64_t num_classes, double l2);

// Share of rows (N, F) whose largest score is that of their label; NaN for no rows.
double accuracy_of(const LinearProbe& probe, const at::Tensor& rows, const at::Tensor& labels);

// Share of the queries whose label has most of the `k` nearest rows of `known` by cosine, each weighted with
// exp(cos / 0.07); k is cut to the number of known rows. Wu et al., "Unsupervised Feature Learning via
// Non-Parametric Instance Discrimination", 2018, section 3.4. In tiles of queries, never as one matrix; NaN
// for no queries.
double neighbours_accuracy(const LabelledFeatures& known, const LabelledFeatures& queries,
                           std::int64_t num_classes, std::int64_t k);

}  // namespace mgd
