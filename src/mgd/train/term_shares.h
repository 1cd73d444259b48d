// What share of the gradient each loss of a run has, as measured in the first steps and now and then after
// them, and which losses have next to none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/train/metrics_log.h"
#include "mgd/train/term_gradients.h"

namespace mgd {

// The measures of one loss. A share is its gradient's norm over the sum of the norms of all terms.
struct TermShare {
  std::string label;
  std::int64_t measures = 0;
  std::int64_t first_step = 0, last_step = 0;  // 1-based
  double first = 0, last = 0, most = 0;        // 0..1
  double weight_for_tenth = 0;  // with which it would have a tenth of the last one; 0 = no weight would do
  bool reaches = true;          // any parameter of the student that trains
  std::string told;             // what was said of it; "" = nothing
};

// State is plain so that a checkpoint can hold it.
struct TermShares {
  std::vector<TermShare> terms;  // in the order of the recipe

  // Below this share in every measure so far a loss is told of.
  static constexpr double kNextToNothing = 1e-3;
  // One measure may be a chance, so nobody is told of after the first alone.
  static constexpr std::int64_t kMeasuresToTell = 2;

  // Whether to measure in this step (1-based) of a run of so many losses with a weight. A function of the
  // step alone, so that a resumed run measures where an uninterrupted one does. A measure takes a pass over
  // the student a term, which is less than a step: after the first two, a quarter of a per cent of the time
  // at most.
  static bool due(std::int64_t step, std::size_t num_terms);

  // Takes a measure of two terms or more in; gives the lines to tell, one for each loss that was found
  // wanting, once.
  std::vector<std::string> add(std::int64_t step, const std::vector<TermGradient>& gradients);

  // "grad_share/LABEL" of those that were measured in this step.
  MetricRow row(std::int64_t step) const;
};

}  // namespace mgd
