// Making a tokenizer for a text: its vocabulary is learned, its stages are those of a well-known model.
#pragma once

#include <span>
#include <string>

#include "mgd/text/tokenizer.h"

namespace mgd {

struct TokenizerTraining {
  // wordpiece: BERT's stages; bpe: byte-level, as in RoBERTa; char: every code point is a token.
  std::string kind = "wordpiece";
  std::int64_t vocab_size = 8000;  // at most, special tokens included
  std::int64_t min_frequency = 2;  // a merge occurs so often; char: a character does
  bool lowercase = true;           // wordpiece: case and accents are dropped
};

// What of the texts was repaired or left out.
struct TrainingTexts {
  std::int64_t num_invalid = 0;     // places that are no UTF-8, read as U+FFFD
  std::int64_t num_long_words = 0;  // of more than 1 KiB; none of kind char
};

// Reads each file once, line by line; only the counts of words (of characters for char) are kept. Words of
// more than 1 KiB teach nothing and are left out. The result depends on the text and the options alone.
// `read`, where given, tells what of the texts counts otherwise than it stands there. Throws like LineReader,
// Error(usage) for a kind that is not known and for a vocabulary that cannot hold the special tokens,
// Error(bad_data) when the files hold no text.
Tokenizer train_tokenizer(std::span<const fs::path> files, const TokenizerTraining& options,
                          TrainingTexts* read = nullptr);

// tokenizer.json, and tokenizer_config.json with the names of the special tokens, into a folder that is made
// where it is not there. Throws Error(cannot_create) when one of the two is there, unless `overwrite`.
void write_tokenizer(const Tokenizer& tokenizer, const fs::path& folder, bool overwrite = false);

}  // namespace mgd
