// WordPiece: the longest token first (Schuster and Nakajima 2012, as BERT has it).
#include "mgd/core/error.h"
#include "mgd/text/token_model.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

class WordPiece final : public TokenModel {
 public:
  explicit WordPiece(const JsonPlace& json)
      : TokenModel(Vocabulary::from_object(json.at("vocab"))),
        place_(json.place()),
        unknown_(json.at("unk_token").text()),
        unknown_id_(vocabulary_.find(unknown_)),
        max_characters_(static_cast<std::size_t>(json.at("max_input_chars_per_word").integer())) {
    // Continuations without their prefix: the word's own bytes are looked up as they stand.
    const std::string prefix = json.at("continuing_subword_prefix").text();
    for (std::size_t id = 0; id < vocabulary_.num_ids(); ++id) {
      const std::string* const token = vocabulary_.token(static_cast<std::int64_t>(id));
      if (token != nullptr && token->starts_with(prefix))
        continuations_.put(std::string_view(*token).substr(prefix.size()), static_cast<std::uint32_t>(id));
    }
  }

  void tokenize(std::string_view word, std::vector<WordToken>& out) const override {
    const std::size_t first = out.size();
    const auto size = static_cast<std::uint32_t>(word.size());
    bool known = word.size() <= max_characters_ || count_code_points(word) <= max_characters_;
    for (std::size_t begin = 0; known && begin < word.size();) {
      const auto token = longest(word, begin);
      known = token.has_value();
      if (!known) break;
      out.push_back(*token);
      begin = token->end;
    }
    if (known) return;
    if (!unknown_id_)
      fail(ExitCode::bad_data,
           "{}: the unknown token '{}' is not in the vocabulary, and the word '{}' needs it", place_,
           printable(unknown_), printable(word));
    out.resize(first);
    out.push_back({*unknown_id_, 0, size});
  }

  std::optional<std::uint32_t> unknown() const override { return unknown_id_; }

 private:
  std::optional<WordToken> longest(std::string_view word, std::size_t begin) const {
    const std::size_t limit = begin == 0 ? vocabulary_.max_bytes() : continuations_.max_bytes();
    std::size_t end = std::min(word.size(), begin + limit);
    while (end > begin && end < word.size() && (static_cast<unsigned char>(word[end]) & 0xC0u) == 0x80u)
      --end;
    for (; end > begin; end -= last_code_point_bytes(word, end)) {
      const std::string_view part = word.substr(begin, end - begin);
      const auto id = begin == 0 ? vocabulary_.find(part) : continuation(part);
      if (id) return WordToken{*id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
    }
    return std::nullopt;
  }

  std::optional<std::uint32_t> continuation(std::string_view part) const {
    const std::uint32_t* const id = continuations_.find(part);
    return id == nullptr ? std::nullopt : std::optional(*id);
  }

  std::string place_, unknown_;
  std::optional<std::uint32_t> unknown_id_;
  std::size_t max_characters_;
  TextTable continuations_;
};

}  // namespace

std::unique_ptr<const TokenModel> read_wordpiece(const JsonPlace& json) {
  return std::make_unique<WordPiece>(json);
}

}  // namespace mgd
