#include "mgd/generate/stop_strings.h"

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

StopStrings::StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  for (const std::string& stop : strings_)
    if (stop.empty()) fail(ExitCode::usage, "stop: got an empty text; expected some that ends the output");
}

std::size_t StopStrings::find(std::string_view text) const {
  std::size_t first = std::string_view::npos;
  for (const std::string& stop : strings_) first = std::min(first, text.find(stop));
  return first;
}

std::size_t StopStrings::settled(std::string_view text) const {
  const std::size_t found = find(text);
  if (found != std::string_view::npos) return found;
  std::size_t held = 0;
  for (const std::string_view stop : strings_)
    for (std::size_t n = std::min(stop.size() - 1, text.size()); n > held; --n)
      if (text.ends_with(stop.substr(0, n))) held = n;
  return text.size() - held;
}

}  // namespace mgd
