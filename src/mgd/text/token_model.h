// The third stage of a tokenizer: a word to tokens.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "mgd/text/json_place.h"
#include "mgd/text/vocabulary.h"

namespace mgd {

// Bytes [begin, end) of the word. As a piece it is its text when `literal`, else the vocabulary's.
struct WordToken {
  std::uint32_t id = 0;
  std::uint32_t begin = 0, end = 0;
  bool literal = false;
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;

  // Appends the tokens of `word`, which is not empty and below 4 GiB. Throws Error(bad_data) for a word that
  // needs an unknown token when the vocabulary has none.
  virtual void tokenize(std::string_view word, std::vector<WordToken>& out) const = 0;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  // The token that stands for what the vocabulary lacks; none: there is no such token.
  virtual std::optional<std::uint32_t> unknown() const { return std::nullopt; }

 protected:
  explicit TokenModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  Vocabulary vocabulary_;
};

// The `model` of a tokenizer.json. Throws Error(bad_data) for a kind that is not known here.
std::unique_ptr<const TokenModel> read_model(const JsonPlace& json);

std::unique_ptr<const TokenModel> read_wordpiece(const JsonPlace& json);
std::unique_ptr<const TokenModel> read_word_level(const JsonPlace& json);
std::unique_ptr<const TokenModel> read_bpe(const JsonPlace& json);
std::unique_ptr<const TokenModel> read_unigram(const JsonPlace& json);

}  // namespace mgd
