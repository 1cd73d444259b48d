// One sample of a text dataset, before anything of it is hidden.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace mgd {

struct TextSequence {
  std::vector<std::int64_t> ids;         // T, special tokens included
  std::vector<std::uint8_t> word_start;  // T: 1 where a word begins
  std::vector<std::int64_t> type_ids;    // T; empty: all 0
  std::int64_t next_id = -1;             // the token that follows in the document; -1: it ends here
};

struct TextSample {
  std::int64_t id = 0;  // number in its dataset: the key of everything random
  // One document or a piece of one; several documents where rows are packed; two for a pair to compare.
  std::vector<TextSequence> sequences;
  std::int64_t label = -1;  // class index; -1: unknown
  double score = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace mgd
