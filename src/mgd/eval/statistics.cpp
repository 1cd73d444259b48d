#include "mgd/eval/statistics.h"

#include <cmath>

namespace mgd {

MeanSpread mean_spread(const std::vector<double>& values) {
  MeanSpread result;
  if (values.empty()) return result;
  for (double value : values) result.mean += value / static_cast<double>(values.size());
  if (values.size() < 2) return result;
  double squares = 0;
  for (double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return result;
}

}  // namespace mgd
