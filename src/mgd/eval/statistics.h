// Mean and spread over repeated runs.
#pragma once

#include <vector>

namespace mgd {

struct MeanSpread {
  double mean = 0;
  double deviation = 0;  // sample standard deviation (n - 1); 0 for fewer than two values
};
MeanSpread mean_spread(const std::vector<double>& values);  // no values: {0, 0}

}  // namespace mgd
