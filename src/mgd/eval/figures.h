// Named figures of a model on one split.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mgd {

// In the order in which they are shown. Fractions are 0..1, losses nats.
using Figures = std::vector<std::pair<std::string, double>>;

double figure(const Figures& figures, const std::string& name);  // NaN when it is not there

// Whether people are shown the figure of this name in per cent.
bool shown_in_per_cent(const std::string& figure);

// Throws Error(bad_data) naming the first figure that is no number: of answers that are NaN, or of a
// correlation where all scores are one.
void require_finite_figures(const Figures& figures, const std::string& model, const std::string& data);

}  // namespace mgd
