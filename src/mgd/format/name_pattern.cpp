#include "mgd/format/name_pattern.h"

#include <set>

namespace mgd {

namespace {

// Goes back to the last * only, so that the work is bounded by the product of the lengths.
bool matches_whole(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

bool matches_name(std::string_view pattern, std::string_view name) {
  if (matches_whole(pattern, name)) return true;
  for (std::size_t dot = name.rfind('.'); dot != std::string_view::npos && dot > 0;
       dot = name.rfind('.', dot - 1))
    if (matches_whole(pattern, name.substr(0, dot))) return true;
  return false;
}

std::vector<std::string> names_and_layers(const std::vector<std::string>& tensors) {
  std::set<std::string> all;
  for (const std::string& name : tensors) {
    all.insert(name);
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
      all.insert(name.substr(0, dot));
  }
  return {all.begin(), all.end()};
}

}  // namespace mgd
