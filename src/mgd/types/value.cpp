#include "mgd/types/value.h"

#include <fmt/ranges.h>

namespace mgd {

const char* axes_name(Axes axes) {
  switch (axes) {
    case Axes::map:
      return "a map (C, Y, X)";
    case Axes::rows:
      return "rows (H)";
    case Axes::vector:
      return "a vector (K)";
    case Axes::other:
      break;
  }
  return "other";
}

std::string sizes_text(const std::vector<std::int64_t>& sizes) {
  return fmt::format("({})", fmt::join(sizes, ", "));
}

}  // namespace mgd
