#include "mgd/text/added_tokens.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/text/unicode.h"

namespace mgd {

namespace {

// The text is compared with the tokens at each of its places: a bound on a token bounds the work.
constexpr std::size_t kMaxTokenBytes = 4096;

AddedToken read_token(const JsonPlace& json) {
  AddedToken out{.content = json.at("content").text(),
                 .single_word = json.at("single_word").boolean(),
                 .lstrip = json.at("lstrip").boolean(),
                 .rstrip = json.at("rstrip").boolean(),
                 .normalized = json.at("normalized").boolean(),
                 .special = json.at("special").boolean()};
  if (out.content.size() > kMaxTokenBytes)
    json.refuse(
        fmt::format("got a token of {} bytes, expected at most {}", out.content.size(), kMaxTokenBytes));
  return out;
}

char32_t last_character(std::string_view text) {
  std::size_t at = text.size() - last_code_point_bytes(text, text.size());
  return next_code_point(text, at);
}

char32_t first_character(std::string_view text) {
  std::size_t at = 0;
  return next_code_point(text, at);
}

}  // namespace

AddedTokens::AddedTokens(const std::optional<JsonPlace>& json, const Vocabulary& model,
                         const Normalizer* normalizer) {
  if (!json) return;
  next_id_ = static_cast<std::uint32_t>(model.size());
  std::vector<AddedToken> tokens;
  std::map<std::int64_t, std::string> stated;
  for (const JsonPlace& item : json->items()) {
    tokens.push_back(read_token(item));
    const std::int64_t id = item.at("id").integer(0, kMaxTokenId);
    const auto [other, fresh] = stated.emplace(id, tokens.back().content);
    if (!fresh && other->second != tokens.back().content)
      item.refuse(fmt::format("the id {} of '{}' is that of '{}' as well", id,
                              printable(tokens.back().content), printable(other->second)));
  }
  for (const AddedToken& token : tokens)
    if (token.special && !token.content.empty() && special_.insert(token.content).second)
      order_.push_back(token);
  for (const AddedToken& token : tokens) add(token, model);
  build_tries(*json, normalizer);
}

void AddedTokens::add(const AddedToken& token, const Vocabulary& model) {
  if (token.content.empty()) return;
  std::uint32_t id = 0;
  if (const auto known = find(token.content)) {
    id = *known;
    if (by_id_[id] == token) return;
  } else if (const auto in_model = model.find(token.content)) {
    id = *in_model;
  } else {
    id = next_id_++;
  }
  ids_[token.content] = id;
  by_id_[id] = token;
  if (!is_special(token.content)) order_.push_back(token);
}

bool AddedTokens::is_special(std::string_view content) const {
  return special_.contains(content);
}

// Of two tokens with the same text the first one is found; the trie keeps the last.
void AddedTokens::build_tries(const JsonPlace& json, const Normalizer* normalizer) {
  std::vector<std::pair<std::string_view, std::uint32_t>> plain, normalized;
  normalized_texts_.reserve(order_.size());
  for (auto token = order_.rbegin(); token != order_.rend(); ++token) {
    const std::uint32_t id = ids_.find(token->content)->second;
    if (!token->normalized) {
      plain.emplace_back(token->content, id);
      continue;
    }
    AlignedText text(token->content);
    if (normalizer != nullptr) normalizer->apply(text);
    if (text.empty())
      json.refuse(fmt::format("the token '{}' is empty once normalised, and so would be found everywhere",
                              printable(token->content)));
    normalized_texts_.push_back(std::move(text.bytes));
    normalized.emplace_back(normalized_texts_.back(), id);
  }
  plain_ = Trie(std::move(plain));
  normalized_ = Trie(std::move(normalized));
}

std::optional<std::uint32_t> AddedTokens::find(std::string_view content) const {
  const auto found = ids_.find(content);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const AddedToken* AddedTokens::token(std::int64_t id) const {
  if (id < 0 || id > kMaxTokenId) return nullptr;
  const auto found = by_id_.find(static_cast<std::uint32_t>(id));
  return found == by_id_.end() ? nullptr : &found->second;
}

// What the token's options make of the place where it was found; nothing when it is not a word of its own.
std::optional<AddedTokens::Found> AddedTokens::accept(std::string_view text, Found found,
                                                      std::size_t previous_end) const {
  const AddedToken& token = by_id_.find(static_cast<std::uint32_t>(found.id))->second;
  if (token.single_word) {
    if (found.begin > 0 && is_word(last_character(text.substr(0, found.begin)))) return std::nullopt;
    if (found.end < text.size() && is_word(first_character(text.substr(found.end)))) return std::nullopt;
  }
  if (token.lstrip) found.begin = std::max(found.begin, previous_end);
  while (token.lstrip && found.begin > previous_end &&
         is_white_space(last_character(text.substr(0, found.begin))))
    found.begin -= last_code_point_bytes(text, found.begin);
  while (token.rstrip && found.end < text.size() && is_white_space(first_character(text.substr(found.end))))
    next_code_point(text, found.end);
  return found;
}

// The leftmost tokens, of those that begin at one place the longest, and what lies between.
std::vector<AddedTokens::Found> AddedTokens::find_all(std::string_view text, const Trie& trie) const {
  std::vector<Found> out;
  std::size_t previous_end = 0;
  for (std::size_t at = 0; !trie.empty() && at < text.size();) {
    Found found{at, at};
    trie.prefixes(text.substr(at), [&](std::size_t bytes, std::uint32_t id) {
      found = {at, at + bytes, id};
    });
    if (found.id < 0) {
      ++at;
      continue;
    }
    at = found.end;
    const auto accepted = accept(text, found, previous_end);
    if (!accepted) continue;
    // As in the package, a token that is found within the white space that the one before took is there
    // twice.
    Found token = *accepted;
    if (previous_end < token.begin) out.push_back({previous_end, token.begin});
    if (token.begin < token.end) out.push_back(token);
    previous_end = token.end;
  }
  if (previous_end < text.size()) out.push_back({previous_end, text.size()});
  return out;
}

void AddedTokens::split_normalized(AlignedText piece, SplitText& out) const {
  const std::vector<Found> found = find_all(piece.bytes, normalized_);
  const std::size_t shift = out.text.bytes.size();
  for (const Found& part : found) out.splits.push_back({shift + part.begin, shift + part.end, part.id});
  if (shift == 0)
    out.text = std::move(piece);
  else
    out.text.append(piece);
}

SplitText AddedTokens::split(std::string_view text, const Normalizer* normalizer) const {
  SplitText out;
  AlignedText whole(text);
  const std::vector<Found> found = find_all(text, plain_);
  for (const Found& part : found) {
    AlignedText piece;
    if (found.size() == 1) {
      piece = std::move(whole);
    } else {
      piece.start = whole.origins[part.begin].begin;
      piece.append(whole, part.begin, part.end);
    }
    if (part.id >= 0) {
      const std::size_t begin = out.text.bytes.size();
      out.text.append(piece);
      out.splits.push_back({begin, out.text.bytes.size(), part.id});
      continue;
    }
    if (normalizer != nullptr) normalizer->apply(piece);
    split_normalized(std::move(piece), out);
  }
  return out;
}

}  // namespace mgd
