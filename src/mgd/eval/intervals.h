// How sure a figure is: 95 % intervals of shares, of differences on the same samples, and of means over
// seeds.
#pragma once

#include <cstdint>
#include <vector>

namespace mgd {

struct Interval {
  double low = 0, high = 0;
};

struct Difference {
  double value = 0;
  Interval interval;
  // Zero lies inside: the data cannot tell the two apart.
  bool cannot_tell() const { return interval.low <= 0 && interval.high >= 0; }
};

// Of `hits` in `count` independent samples, by Wilson's score (JASA 1927). No samples: 0 ... 1.
Interval share_interval(std::int64_t hits, std::int64_t count);

// What two models differ in on the same `count` samples: right in the first alone, in the second alone.
struct PairedCounts {
  std::int64_t first_only = 0, second_only = 0, count = 0;
};

// Share of the first minus share of the second. The interval adds half a sample to each of the four cells
// (Agresti and Min, Statistics in Medicine 2005, eq. 3). No samples: 0 in -1 ... 1.
Difference paired_difference(const PairedCounts& counts);

// Mean of differences with equal seeds, by Student's t. One value: an interval without bounds; none: 0, the
// same.
Difference mean_difference(const std::vector<double>& differences);

// The 97.5 % quantile of Student's t; freedom >= 1. Exact to 1e-3, from the table up to 30, by the expansion
// of Cornish and Fisher (Hill, CACM 1970) beyond.
double t_quantile(std::int64_t freedom);

}  // namespace mgd
