// Byte pair encoding (Sennrich et al. 2016).
#include <array>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/text/merges.h"
#include "mgd/text/token_model.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

class Bpe final : public TokenModel {
 public:
  explicit Bpe(const JsonPlace& json)
      : TokenModel(Vocabulary::from_object(json.at("vocab"))),
        place_(json.place()),
        prefix_(json.text_or("continuing_subword_prefix", "")),
        suffix_(json.text_or("end_of_word_suffix", "")),
        fuse_unknown_(json.boolean_or("fuse_unk", false)),
        ignore_merges_(json.boolean_or("ignore_merges", false)) {
    if (const auto dropout = json.find("dropout"); dropout && dropout->number() != 0)
      dropout->refuse("dropout makes tokens random and is not supported; expected null");
    if (const auto unknown = json.find("unk_token")) {
      unknown_ = unknown->text();
      unknown_id_ = vocabulary_.find(*unknown_);
    }
    if (json.boolean_or("byte_fallback", false)) read_byte_tokens();
    read_merges(json.at("merges"));
    find_whole_words();
  }

  void tokenize(std::string_view word, std::vector<WordToken>& out) const override {
    if (const auto id = vocabulary_.find(word); id && (ignore_merges_ || whole_[*id])) {
      out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
      return;
    }
    join(word, out);
  }

  std::optional<std::uint32_t> unknown() const override { return unknown_id_; }

 private:
  void read_byte_tokens() {
    byte_fallback_ = true;
    for (unsigned b = 0; b < 256; ++b) byte_tokens_[b] = vocabulary_.find(fmt::format("<0x{:02X}>", b));
  }

  std::uint32_t id_in_merge(const std::string& token, const JsonPlace& merge) const {
    const auto id = vocabulary_.find(token);
    if (!id)
      merge.refuse(fmt::format("the merge needs '{}', which is not in the vocabulary", printable(token)));
    return *id;
  }

  // "a b" or ["a", "b"], the most urgent first.
  void read_merges(const JsonPlace& json) {
    const std::vector<JsonPlace> items = json.items();
    merges_.reserve(items.size());
    std::uint32_t rank = 0;
    for (const JsonPlace& item : items) {
      std::string left, right;
      if (item.value().is_string()) {
        const std::string text = item.text();
        if (text.starts_with("#version")) continue;
        const std::size_t space = text.find(' ');
        if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
          item.refuse(fmt::format("got '{}', expected two tokens and one space", printable(text)));
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else {
        const std::vector<JsonPlace> pair = item.items();
        if (pair.size() != 2) item.refuse(fmt::format("got a list of {}, expected two tokens", pair.size()));
        left = pair[0].text();
        right = pair[1].text();
      }
      const std::uint32_t left_id = id_in_merge(left, item), right_id = id_in_merge(right, item);
      if (right.size() < prefix_.size())
        item.refuse(fmt::format("got '{}', expected a token with the prefix '{}'", printable(right),
                                printable(prefix_)));
      merges_.put(left_id, right_id, {rank++, id_in_merge(left + right.substr(prefix_.size()), item)});
    }
  }

  // Most words of a text are tokens, and most tokens come out whole: known beforehand, such a word costs one
  // look-up.
  void find_whole_words() {
    whole_.assign(vocabulary_.num_ids(), false);
    if (ignore_merges_) return;
    std::vector<WordToken> tokens;
    constexpr std::size_t kMaxBytes = 64;
    for (std::size_t id = 0; id < whole_.size(); ++id) {
      const std::string* const token = vocabulary_.token(static_cast<std::int64_t>(id));
      if (token == nullptr || token->empty() || token->size() > kMaxBytes || (unknown_ && !unknown_id_))
        continue;
      tokens.clear();
      join(*token, tokens);
      whole_[id] = tokens.size() == 1 && tokens[0].id == id && tokens[0].end == token->size();
    }
  }

  std::optional<std::uint32_t> character_token(std::string_view character, bool first, bool last) const {
    if ((first || prefix_.empty()) && (!last || suffix_.empty())) return vocabulary_.find(character);
    return vocabulary_.find((first ? "" : prefix_) + std::string(character) + (last ? suffix_ : ""));
  }

  bool put_bytes(std::string_view text, std::uint32_t& at, std::vector<WordToken>& out) const {
    for (const char c : text)
      if (!byte_tokens_[static_cast<unsigned char>(c)]) return false;
    for (const char c : text) {
      out.push_back({*byte_tokens_[static_cast<unsigned char>(c)], at, at + 1});
      ++at;
    }
    return true;
  }

  std::uint32_t unknown_id(std::string_view character) const {
    if (!unknown_id_)
      fail(ExitCode::bad_data,
           "{}: the unknown token '{}' is not in the vocabulary, and the character '{}' needs it", place_,
           printable(*unknown_), printable(character));
    return *unknown_id_;
  }

  void join(std::string_view word, std::vector<WordToken>& out) const {
    const std::size_t first_token = out.size();
    // The place of a token is the sum of the lengths before it: a character that gives no token leaves none.
    std::uint32_t at = 0;
    std::optional<std::uint32_t> unknown_bytes;  // of the unknown token that is not yet put
    const auto put_unknown = [&] {
      if (!unknown_bytes) return;
      out.push_back({*unknown_id_, at, at + *unknown_bytes});
      at += *unknown_bytes;
      unknown_bytes.reset();
    };
    for (std::size_t next = 0; next < word.size();) {
      const std::size_t begin = next;
      next_code_point(word, next);
      const std::string_view character = word.substr(begin, next - begin);
      const auto bytes = static_cast<std::uint32_t>(character.size());
      const bool first = begin == 0, last = next == word.size();
      if (const auto id = character_token(character, first, last)) {
        put_unknown();
        out.push_back({*id, at, at + bytes});
        at += bytes;
        continue;
      }
      if (byte_fallback_) {
        const std::string affixed = (first ? "" : prefix_) + std::string(character) + (last ? suffix_ : "");
        if (put_bytes(affixed, at, out)) continue;
      }
      if (!unknown_) continue;
      unknown_id(character);
      if (unknown_bytes && !fuse_unknown_) put_unknown();
      unknown_bytes = unknown_bytes.value_or(0) + bytes;
    }
    put_unknown();
    merges_.apply(out, first_token);
  }

  std::string place_, prefix_, suffix_;
  std::optional<std::string> unknown_;
  std::optional<std::uint32_t> unknown_id_;
  bool fuse_unknown_, ignore_merges_, byte_fallback_ = false;
  std::array<std::optional<std::uint32_t>, 256> byte_tokens_;
  MergeTable merges_;
  std::vector<bool> whole_;  // by id: the token's text gives the token
};

}  // namespace

std::unique_ptr<const TokenModel> read_bpe(const JsonPlace& json) {
  return std::make_unique<Bpe>(json);
}

}  // namespace mgd
