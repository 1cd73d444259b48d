#include "mgd/teach/facts.h"

#include <fmt/core.h>

namespace mgd {

std::string difference_of(const std::map<std::string, std::string>& was,
                          const std::map<std::string, std::string>& is) {
  const auto value = [](const std::map<std::string, std::string>& map, const std::string& key) {
    const auto it = map.find(key);
    return it == map.end() ? std::string("(none)") : it->second;
  };
  std::map<std::string, std::string> keys = was;
  keys.insert(is.begin(), is.end());
  std::string text;
  for (const auto& [key, unused] : keys)
    if (value(was, key) != value(is, key))
      text += fmt::format("\n  {}: was {}, is {}", key, value(was, key), value(is, key));
  return text;
}

}  // namespace mgd
