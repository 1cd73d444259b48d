#include "mgd/task/task.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "mgd/data/source_lines.h"

namespace mgd {

std::vector<std::string> Task::unread(const BatchStream& training) const {
  std::vector<std::string> lines = unread_lines(training.corrupt(), num_samples(), "passed over in training");
  std::ranges::move(unread_lines(left_out(), num_measured(), "left out of the measures"),
                    std::back_inserter(lines));
  return lines;
}

std::string figures_text(const Figures& figures) {
  std::string text;
  for (const auto& [name, value] : figures) {
    if (!text.empty()) text += ", ";
    text += shown_in_per_cent(name) ? fmt::format("{} {:.2f} %", name, 100 * value)
                                    : fmt::format("{} {:.4f}", name, value);
  }
  return text;
}

}  // namespace mgd
