#include "mgd/eval/figures.h"

#include <cmath>

#include "mgd/core/error.h"

namespace mgd {

void require_finite_figures(const Figures& figures, const std::string& model, const std::string& data) {
  for (const auto& [name, value] : figures)
    if (!std::isfinite(value))
      fail(ExitCode::bad_data,
           "{}: its {} on {} is {}: its answers are no numbers, or they and the data's all one; nothing was "
           "measured",
           model, name, data, value);
}

}  // namespace mgd
