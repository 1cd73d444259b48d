// The most likely cut of a word under a unigram model (Kudo 2018), by Viterbi's algorithm.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "mgd/core/error.h"
#include "mgd/text/token_model.h"
#include "mgd/text/trie.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

// An unknown character is this much less likely than the least likely token (SentencePiece's choice).
constexpr double kUnknownPenalty = 10;

// The score that the package has for the number in the file. Its JSON library reads the digits as a whole
// number, rounds that to a double and scales it by a power of ten, which is one unit off in the last place
// now and then; and two cuts of a word that are equally likely are told apart by such units. Files hold the
// shortest digits that give the number, so these are taken from the number.
double package_score(double exact) {
  std::array<char, 64> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), std::abs(exact),
                                 std::chars_format::scientific);
  const std::string_view text(digits.data(), static_cast<std::size_t>(end.ptr - digits.data()));
  std::uint64_t whole = 0;
  int exponent = 0, num_behind_point = 0;
  const std::size_t e = text.find('e');
  if (e == text.npos) return exact;  // not finite
  for (const char c : text.substr(0, e))
    if (c != '.') whole = whole * 10 + static_cast<std::uint64_t>(c - '0');
  if (const std::size_t point = text.find('.'); point != text.npos)
    num_behind_point = static_cast<int>(e - point - 1);
  const std::size_t sign = text[e + 1] == '+' ? 1 : 0;
  std::from_chars(text.data() + e + 1 + sign, text.data() + text.size(), exponent);
  exponent -= num_behind_point;
  double power = 1;
  const std::string scale = fmt::format("1e{}", std::abs(exponent));
  std::from_chars(scale.data(), scale.data() + scale.size(), power);
  const auto rounded = static_cast<double>(whole);
  return std::copysign(exponent >= 0 ? rounded * power : rounded / power, exact);
}

std::vector<std::string> read_pieces(const JsonPlace& json, std::vector<double>& scores) {
  std::vector<std::string> pieces;
  for (const JsonPlace& item : json.items()) {
    const std::vector<JsonPlace> pair = item.items();
    if (pair.size() != 2) item.refuse(fmt::format("got a list of {}, expected [text, score]", pair.size()));
    pieces.push_back(pair[0].text());
    scores.push_back(package_score(pair[1].number()));
  }
  if (pieces.size() > kMaxTokenId)
    json.refuse(fmt::format("got {} tokens, expected at most {}", pieces.size(), kMaxTokenId));
  return pieces;
}

class Unigram final : public TokenModel {
 public:
  explicit Unigram(const JsonPlace& json) : Unigram(json, {}) {}

  void tokenize(std::string_view word, std::vector<WordToken>& out) const override {
    const std::vector<Node> best = best_path(word);
    // From the end: neighbouring unknown characters make one token.
    const std::size_t first = out.size();
    for (std::size_t end = word.size(); end > 0;) {
      const Node& node = best[end];
      const bool unknown = unknown_id_ && node.id == *unknown_id_;
      const auto begin = static_cast<std::uint32_t>(node.begin);
      const bool joins = unknown && out.size() > first && out.back().literal && out.back().begin == end;
      if (joins)
        out.back().begin = begin;
      else
        out.push_back({node.id, begin, static_cast<std::uint32_t>(end), unknown});
      end = node.begin;
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
    resolve_unknown(word, out, first);
  }

  std::optional<std::uint32_t> unknown() const override { return unknown_id_; }

 private:
  struct Node {
    double score = 0;
    std::size_t begin = kUnreached;  // of the token that ends here
    std::uint32_t id = 0;
  };
  static constexpr std::size_t kUnreached = std::numeric_limits<std::size_t>::max();

  Unigram(const JsonPlace& json, std::vector<double> scores)
      : TokenModel(Vocabulary::from_list(read_pieces(json.at("vocab"), scores))),
        place_(json.place()),
        scores_(std::move(scores)) {
    if (const auto unknown = json.find("unk_id")) {
      unknown_id_ = static_cast<std::uint32_t>(unknown->integer(0));
      if (*unknown_id_ >= scores_.size())
        unknown->refuse(fmt::format("got {}, expected an id below the {} of the vocabulary", *unknown_id_,
                                    scores_.size()));
    }
    for (const double score : scores_) least_ = std::min(least_, score);
    std::vector<std::pair<std::string_view, std::uint32_t>> texts;
    for (std::uint32_t id = 0; id < scores_.size(); ++id) texts.emplace_back(*vocabulary_.token(id), id);
    trie_ = Trie(std::move(texts));
    byte_fallback_ = json.boolean_or("byte_fallback", false);
    for (unsigned b = 0; b < 256; ++b) byte_tokens_[b] = vocabulary_.find(fmt::format("<0x{:02X}>", b));
  }

  std::vector<Node> best_path(std::string_view word) const {
    std::vector<Node> best(word.size() + 1);
    const auto offer = [&](std::size_t begin, std::size_t end, double score, std::uint32_t id) {
      if (best[end].begin == kUnreached || score > best[end].score) best[end] = {score, begin, id};
    };
    for (std::size_t begin = 0; begin < word.size();) {
      std::size_t next = begin;
      next_code_point(word, next);
      const double here = best[begin].score;
      bool known = false;
      trie_.prefixes(word.substr(begin), [&](std::size_t bytes, std::uint32_t id) {
        offer(begin, begin + bytes, scores_[id] + here, id);
        known = known || bytes == next - begin;
      });
      if (!known) {
        const double score = least_ - kUnknownPenalty + here;
        if (best[next].begin == kUnreached || score > best[next].score) {
          if (!unknown_id_)
            fail(ExitCode::bad_data,
                 "{}: '{}' is not in the vocabulary, and there is no unknown token (unk_id)", place_,
                 printable(word.substr(begin, next - begin)));
          offer(begin, next, score, *unknown_id_);
        }
      }
      begin = next;
    }
    return best;
  }

  // What is unknown may still be a token of the vocabulary once joined, or be spelled in bytes.
  void resolve_unknown(std::string_view word, std::vector<WordToken>& out, std::size_t first) const {
    bool spelled = false;
    for (std::size_t i = first; i < out.size(); ++i) {
      if (!out[i].literal) continue;
      const std::string_view text = word.substr(out[i].begin, out[i].end - out[i].begin);
      if (const auto id = vocabulary_.find(text)) out[i] = {*id, out[i].begin, out[i].end};
      spelled = spelled || (out[i].literal && spells(text));
    }
    if (!spelled) return;
    const std::vector<WordToken> tokens(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
    out.resize(first);
    for (const WordToken& token : tokens) {
      const std::string_view text = word.substr(token.begin, token.end - token.begin);
      if (!token.literal || !spells(text)) {
        out.push_back(token);
        continue;
      }
      for (const char c : text)
        out.push_back({*byte_tokens_[static_cast<unsigned char>(c)], token.begin, token.end});
    }
  }

  bool spells(std::string_view text) const {
    return byte_fallback_ && std::all_of(text.begin(), text.end(), [&](char c) {
             return byte_tokens_[static_cast<unsigned char>(c)].has_value();
           });
  }

  std::string place_;
  std::vector<double> scores_;
  double least_ = std::numeric_limits<double>::infinity();
  std::optional<std::uint32_t> unknown_id_;
  bool byte_fallback_ = false;
  std::array<std::optional<std::uint32_t>, 256> byte_tokens_;
  Trie trie_;
};

}  // namespace

std::unique_ptr<const TokenModel> read_unigram(const JsonPlace& json) {
  return std::make_unique<Unigram>(json);
}

}  // namespace mgd
