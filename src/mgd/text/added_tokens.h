// Tokens that are found in the text itself, before any other stage: [MASK], <s>, words added to a vocabulary.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mgd/text/json_place.h"
#include "mgd/text/normalizer.h"
#include "mgd/text/splits.h"
#include "mgd/text/token_model.h"
#include "mgd/text/trie.h"

namespace mgd {

struct AddedToken {
  std::string content;
  bool single_word = false;  // not within a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and behind it
  bool normalized = true;    // looked for in the normalised text
  bool special = false;      // left out when decoding
  bool operator==(const AddedToken&) const = default;
};

class AddedTokens {
 public:
  // The `added_tokens` of a tokenizer.json. As in the package, a token that the model has keeps the model's
  // id, and new ones are numbered from the end of the vocabulary in the order of the list, whatever ids the
  // file states. Throws Error(bad_data), also when two tokens of the list state one id.
  AddedTokens(const std::optional<JsonPlace>& json, const Vocabulary& model, const Normalizer* normalizer);

  // Cuts the text at its added tokens and normalises what lies between.
  SplitText split(std::string_view text, const Normalizer* normalizer) const;

  std::optional<std::uint32_t> find(std::string_view content) const;
  const AddedToken* token(std::int64_t id) const;  // nullptr: no added token
  bool is_special(std::string_view content) const;
  const std::map<std::uint32_t, AddedToken>& by_id() const { return by_id_; }

 private:
  struct Found {
    std::size_t begin = 0, end = 0;
    std::int64_t id = -1;  // -1: text between tokens
  };
  void add(const AddedToken& token, const Vocabulary& model);
  void build_tries(const JsonPlace& json, const Normalizer* normalizer);
  std::vector<Found> find_all(std::string_view text, const Trie& trie) const;
  std::optional<Found> accept(std::string_view text, Found found, std::size_t previous_end) const;
  void split_normalized(AlignedText piece, SplitText& out) const;

  std::vector<AddedToken> order_;  // special ones first
  std::set<std::string, std::less<>> special_;
  std::map<std::string, std::uint32_t, std::less<>> ids_;
  std::map<std::uint32_t, AddedToken> by_id_;
  std::uint32_t next_id_ = 0;
  std::vector<std::string> normalized_texts_;
  Trie plain_, normalized_;
};

}  // namespace mgd
