// The tokenizer of a model without layers: the vocabulary that plain text can reach, with ids without gaps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/text/tokenizer.h"

namespace mgd {

struct PrunedVocabulary {
  std::string tokenizer;                             // tokenizer.json
  std::vector<std::int64_t> ids;                     // of token i: the id that it had; ascending
  std::int64_t num_placeholders = 0, num_added = 0;  // that were left out
  bool opens_with_space = false;  // a byte-level tokenizer that reads a first word as any other, from now on
};

// Leaves out the placeholders `[unusedN]` and the added tokens ([CLS], [MASK], ...) but for the unknown and
// the padding token, and with them the merges that need them; puts nothing around a text, and cuts it at
// `max_length` tokens. This is what the model2vec package (0.10) makes of a tokenizer. Error(bad_data) for a
// vocabulary in which nothing is left.
PrunedVocabulary prune_vocabulary(const Tokenizer& tokenizer, std::int64_t max_length);

// The same form with every token and its id as it was, so that both read the same ids.
PrunedVocabulary whole_vocabulary(const Tokenizer& tokenizer, std::int64_t max_length);

// The tokenizer of a static model's folder as the package reads with it: nothing is put around a text,
// whatever the file says.
Tokenizer unframed(const Tokenizer& tokenizer, const std::string& source);

}  // namespace mgd
