// Named figures of a model on one split.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mgd {

// In the order in which they are shown. Fractions are 0..1, losses nats.
using Figures = std::vector<std::pair<std::string, double>>;

}  // namespace mgd
