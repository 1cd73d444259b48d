// The ranges that activations move in, measured on samples.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "mgd/export/graph.h"

namespace mgd {

struct Range {
  double low = 0, high = 0;  // low <= 0 <= high
};
using Ranges = std::map<std::string, Range>;

enum class RangeRule {
  min_max,        // everything that was seen
  percentile,     // what is left when 0.01 % of the numbers are cut off at each end
  squared_error,  // the narrower range that loses least to 256 levels, in squared error
};

// Two passes over `batches` (each an input of the graph): extremes, then a histogram of 2,048 bins, from
// which the rule chooses. At least one batch.
Ranges calibrate(const Graph& graph, const std::vector<at::Tensor>& batches,
                 const std::set<std::string>& values, RangeRule rule);

// The rule on one histogram over [low, high]; counts of equal bins.
Range chosen_range(const std::vector<double>& counts, Range seen, RangeRule rule);

}  // namespace mgd
