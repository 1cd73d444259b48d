// What a tokenizer makes of a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mgd {

// All vectors have one entry a token.
struct Encoding {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t>
      type_ids;  // segment: 0 for the first text, 1 for the second where the model tells them apart
  // [begin, end) in code points of the text as given; (0, 0) for a token that stands for no text.
  std::vector<std::pair<std::int64_t, std::int64_t>> offsets;
  std::vector<std::int64_t> word_ids;  // number of the word (pre-token) in its text; -1: no text
  std::vector<std::uint8_t> special;   // 1: put in by the tokenizer ([CLS], padding), 0: from the text
  std::vector<std::uint8_t> keep;      // 0: padding
  std::vector<std::string> pieces;     // the tokens as text; empty unless EncodeOptions::pieces

  std::int64_t num_invalid = 0;   // places of the text that were no UTF-8 and count as U+FFFD
  std::int64_t num_left_out = 0;  // tokens that a limit of length cut off

  std::size_t size() const { return ids.size(); }
};

struct EncodeOptions {
  bool add_special = true;  // [CLS], [SEP], <s>, ... as the file's post-processor says
  std::int64_t max_length =
      0;  // > 0: at most so many tokens, special ones included, instead of the file's limits; cut at the end,
          // or where the tokenizer's truncation_side says so at the beginning
  bool file_limits = true;  // truncation and padding as in the file; off with max_length
  bool pieces = false;      // fill Encoding::pieces
};

}  // namespace mgd
