// The tokens of one text on their way through the last stages.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace mgd {

struct ListedToken {
  std::uint32_t id = 0;
  std::uint32_t begin = 0, end = 0;  // code points of the original text
  std::int64_t word = -1;            // -1: none
  std::int64_t type_id = 0;
  std::uint8_t special = 0;  // 1: put in by a post-processor, or padding
  std::uint8_t keep = 1;     // 0: padding
  std::string_view piece;
};

using TokenList = std::vector<ListedToken>;

}  // namespace mgd
