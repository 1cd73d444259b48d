#include "mgd/eval/figures.h"

#include <cmath>
#include <limits>
#include <set>

#include "mgd/core/error.h"

namespace mgd {

double figure(const Figures& figures, const std::string& name) {
  for (const auto& [key, value] : figures)
    if (key == name) return value;
  return std::numeric_limits<double>::quiet_NaN();
}

bool shown_in_per_cent(const std::string& figure) {
  static const std::set<std::string> names = {"accuracy",        "top5",     "calibration_error",
                                              "masked_accuracy", "macro_f1", "agreement"};
  return names.contains(figure);
}

void require_finite_figures(const Figures& figures, const std::string& model, const std::string& data) {
  for (const auto& [name, value] : figures)
    if (!std::isfinite(value))
      fail(ExitCode::bad_data,
           "{}: its {} on {} is {}: its answers are no numbers, or they and the data's all one; nothing was "
           "measured",
           model, name, data, value);
}

}  // namespace mgd
