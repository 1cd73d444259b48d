#include "mgd/text/tokenizer.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/text/tokenizer_parts.h"

namespace mgd {

namespace {

// What a text needs on its way is up to a hundred times its size.
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 25;

TokenList tokenize(const SplitText& text, const TokenModel& model, std::int64_t type_id) {
  TokenList out;
  out.reserve(text.splits.size() * 5 / 4);
  std::vector<WordToken> tokens;
  for (std::size_t word = 0; word < text.splits.size(); ++word) {
    const Split& split = text.splits[word];
    const std::string_view view = text.view(split);
    const OriginSpan* const origins = text.text.origins.data() + split.begin;
    const auto put = [&](std::uint32_t id, std::size_t begin, std::size_t end, std::string_view piece) {
      // A model that spells an affix in bytes counts them as bytes of the word.
      out.push_back({.id = id,
                     .begin = origins[std::min(begin, view.size() - 1)].begin,
                     .end = origins[std::min(end, view.size()) - 1].end,
                     .word = static_cast<std::int64_t>(word),
                     .type_id = type_id,
                     .piece = piece});
    };
    if (split.added_token >= 0) {
      put(static_cast<std::uint32_t>(split.added_token), 0, view.size(), view);
      continue;
    }
    tokens.clear();
    model.tokenize(view, tokens);
    for (const WordToken& token : tokens)
      put(token.id, token.begin, token.end,
          token.literal ? view.substr(token.begin, token.end - token.begin)
                        : *model.vocabulary().token(token.id));
  }
  return out;
}

Encoding to_encoding(const std::vector<TokenList>& lists, bool pieces) {
  Encoding out;
  std::size_t n = 0;
  for (const TokenList& list : lists) n += list.size();
  out.ids.reserve(n);
  out.type_ids.reserve(n);
  out.offsets.reserve(n);
  out.word_ids.reserve(n);
  out.special.reserve(n);
  out.keep.reserve(n);
  for (const TokenList& list : lists)
    for (const ListedToken& token : list) {
      out.ids.push_back(token.id);
      out.type_ids.push_back(token.type_id);
      out.offsets.emplace_back(token.begin, token.end);
      out.word_ids.push_back(token.word);
      out.special.push_back(token.special);
      out.keep.push_back(token.keep);
      if (pieces) out.pieces.emplace_back(token.piece);
    }
  return out;
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

SplitText Tokenizer::Parts::split(std::string_view text, std::int64_t* num_invalid) const {
  if (text.size() > kMaxTextBytes)
    fail(ExitCode::bad_data, "tokenizer {}: got a text of {} bytes, expected at most {}; cut it into lines",
         source, text.size(), kMaxTextBytes);
  const bool valid = valid_utf8_prefix(text) == text.size();
  const std::string repaired = valid ? std::string() : valid_utf8(text, num_invalid);
  SplitText out = added->split(valid ? text : repaired, normalizer.get());
  if (pre_tokenizer) pre_tokenizer->apply(out);
  return out;
}

std::vector<std::string> Tokenizer::words(std::string_view text) const {
  const SplitText split = parts_->split(text, nullptr);
  std::vector<std::string> out;
  for (const Split& word : split.splits)
    if (word.added_token < 0) out.emplace_back(split.view(word));
  return out;
}

Encoding Tokenizer::encode_texts(std::span<const std::string_view> texts,
                                 const EncodeOptions& options) const {
  const Parts& p = *parts_;
  std::int64_t num_invalid = 0;
  std::vector<SplitText> split;
  std::vector<TokenList> lists;
  split.reserve(texts.size());
  for (const std::string_view text : texts) {
    split.push_back(p.split(text, &num_invalid));
    lists.push_back(tokenize(split.back(), *p.model, static_cast<std::int64_t>(lists.size())));
  }
  const bool pair = texts.size() == 2;
  const std::size_t num_added =
      options.add_special && p.post_processor ? p.post_processor->num_added(pair) : 0;
  const bool file_limits = options.file_limits && options.max_length == 0;
  const auto num_tokens = [&] {
    std::size_t total = 0;
    for (const TokenList& list : lists) total += list.size();
    return static_cast<std::int64_t>(total);
  };
  const std::int64_t num_given = num_tokens();
  if (options.max_length > 0)
    truncate(lists,
             {.max_length = static_cast<std::size_t>(options.max_length), .from_left = p.special.cuts_left()},
             num_added, p.source);
  else if (file_limits && p.truncation)
    truncate(lists, *p.truncation, num_added, p.source);
  const std::int64_t num_left_out = num_given - num_tokens();
  if (p.post_processor) p.post_processor->apply(lists, options.add_special);
  if (file_limits && p.padding) {
    for (std::size_t i = 1; i < lists.size(); ++i)
      lists[0].insert(lists[0].end(), lists[i].begin(), lists[i].end());
    lists.resize(1);
    pad(lists[0], *p.padding);
  }
  Encoding out = to_encoding(lists, options.pieces);
  out.num_invalid = num_invalid;
  out.num_left_out = num_left_out;
  return out;
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return encode_texts({&text, 1}, options);
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                const EncodeOptions& options) const {
  const std::string_view texts[] = {first, second};
  return encode_texts(texts, options);
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const std::int64_t id : ids)
    if (const std::string* const token = parts_->find_token(id); token != nullptr)
      if (!skip_special || !parts_->added->is_special(*token)) tokens.push_back(*token);
  if (parts_->decoder && !tokens.empty()) parts_->decoder->apply(tokens);
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !parts_->decoder) out += ' ';
    out += tokens[i];
  }
  return out;
}

std::optional<std::int64_t> Tokenizer::id_of(std::string_view token) const {
  return parts_->find_id(token);
}

const std::string& Tokenizer::token_of(std::int64_t id) const {
  const std::string* const token = parts_->find_token(id);
  if (token == nullptr)
    fail(ExitCode::usage, "tokenizer {}: got the id {}, expected one of the vocabulary of {}", parts_->source,
         id, vocab_size());
  return *token;
}

bool Tokenizer::has_id(std::int64_t id) const {
  return parts_->find_token(id) != nullptr;
}

std::int64_t Tokenizer::vocab_size() const {
  return parts_->num_ids;
}

std::optional<std::int64_t> Tokenizer::unknown_id() const {
  const auto id = parts_->model->unknown();
  return id ? std::optional<std::int64_t>(*id) : std::nullopt;
}

bool Tokenizer::is_special(std::int64_t id) const {
  const AddedToken* const token = parts_->added->token(id);
  return token != nullptr && parts_->added->is_special(token->content);
}

std::vector<std::int64_t> Tokenizer::special_ids() const {
  std::vector<std::int64_t> out;
  for (const auto& [id, token] : parts_->added->by_id())
    if (is_special(id)) out.push_back(id);
  return out;
}

const SpecialTokens& Tokenizer::special_tokens() const {
  return parts_->special;
}

const std::string& Tokenizer::to_json() const {
  return parts_->json;
}

}  // namespace mgd
