#include "mgd/task/task.h"

#include <fmt/core.h>

#include <limits>
#include <set>

namespace mgd {

namespace {

// Shown as per cent; everything else as it is.
const std::set<std::string> kFractions = {"accuracy", "top5", "calibration_error", "masked_accuracy",
                                          "macro_f1"};

}  // namespace

double figure(const Figures& figures, const std::string& name) {
  for (const auto& [key, value] : figures)
    if (key == name) return value;
  return std::numeric_limits<double>::quiet_NaN();
}

std::string figures_text(const Figures& figures) {
  std::string text;
  for (const auto& [name, value] : figures) {
    if (!text.empty()) text += ", ";
    text += kFractions.contains(name) ? fmt::format("{} {:.2f} %", name, 100 * value)
                                      : fmt::format("{} {:.4f}", name, value);
  }
  return text;
}

}  // namespace mgd
