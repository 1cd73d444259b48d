// Strings that end a text, found in text that grows.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

class StopStrings {
 public:
  // Error(usage) for an empty one, which every text holds.
  explicit StopStrings(std::vector<std::string> strings);

  bool empty() const { return strings_.empty(); }
  // Where the first of them begins; npos: none is there.
  std::size_t find(std::string_view text) const;
  // How many bytes from the start can no longer become part of one, whatever follows.
  std::size_t settled(std::string_view text) const;

 private:
  std::vector<std::string> strings_;
};

}  // namespace mgd
