// Figures that are counted from answers: agreement of two rankings, of two classifications.
#pragma once

#include <cstdint>
#include <vector>

namespace mgd {

// Correlation of two lists of equal length; NaN for fewer than two values or without spread.
double pearson(const std::vector<double>& a, const std::vector<double>& b);
// Pearson's of the ranks; equal values share the mean of their ranks.
double spearman(const std::vector<double>& a, const std::vector<double>& b);

// The mean of F1 over the classes of a confusion matrix [true][predicted] that are there: that are the truth
// of a sample or the answer to one. 0 without samples.
double macro_f1(const std::vector<std::vector<std::int64_t>>& confusion);

// Matthews' correlation of a confusion matrix [true][predicted] of any number of classes (Gorodkin 2004); 0
// where it is not defined.
double matthews(const std::vector<std::vector<std::int64_t>>& confusion);

}  // namespace mgd
