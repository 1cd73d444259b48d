// Truncation and padding, as a tokenizer.json states them.
#pragma once

#include <optional>
#include <string>

#include "mgd/text/json_place.h"
#include "mgd/text/token_list.h"

namespace mgd {

enum class TruncationStrategy { longest_first, only_first, only_second };

struct Truncation {
  std::size_t max_length = 0;  // of all texts together, special tokens included
  std::size_t stride = 0;
  bool from_left = false;
  TruncationStrategy strategy = TruncationStrategy::longest_first;
};

struct Padding {
  std::size_t length = 0;       // 0: as long as the text
  std::size_t multiple_of = 0;  // 0: any length
  bool on_left = false;
  std::uint32_t id = 0;
  std::int64_t type_id = 0;
  std::string token;
};

std::optional<Truncation> read_truncation(const std::optional<JsonPlace>& json);
std::optional<Padding> read_padding(const std::optional<JsonPlace>& json);

// Leaves room for `num_added` tokens. Throws Error(bad_data), with `place`, when the limit cannot be kept.
void truncate(std::vector<TokenList>& lists, const Truncation& truncation, std::size_t num_added,
              const std::string& place);
void pad(TokenList& list, const Padding& padding);

}  // namespace mgd
