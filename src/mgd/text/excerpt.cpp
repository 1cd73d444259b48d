#include "mgd/text/excerpt.h"

#include <algorithm>
#include <map>

#include "mgd/text/utf8.h"

namespace mgd {

namespace {

constexpr std::string_view kSpace = " \t\n\r\f\v";

bool is_space(char c) {
  return kSpace.find(c) != std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

std::size_t count_words(std::string_view text) {
  std::size_t words = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!is_space(text[i]) && (i == 0 || is_space(text[i - 1]))) ++words;
  return words;
}

bool ends_sentence(std::string_view text, std::size_t at) {
  const bool before_space = at + 1 == text.size() || is_space(text[at + 1]);
  if (text[at] == '.' || text[at] == '!' || text[at] == '?') return before_space;
  if (text[at] != '\n') return false;
  const std::size_t next = text.find_first_not_of(" \t\r", at + 1);
  return next == std::string_view::npos || text[next] == '\n';
}

bool ends_line(std::string_view text, std::size_t at) {
  return text[at] == '\n';
}

std::vector<std::string> cut(std::string_view text, bool (*ends)(std::string_view, std::size_t),
                             std::size_t min_words, std::size_t max_words) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!ends(text, at) && at + 1 < text.size()) continue;
    const std::string_view part = trimmed(text.substr(begin, at + 1 - begin));
    const std::size_t words = count_words(part);
    if (words >= min_words && words <= max_words) parts.emplace_back(part);
    begin = at + 1;
  }
  return parts;
}

bool is_word(std::string_view text) {
  const auto letter = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
  };
  return count_code_points(text) >= 3 && std::all_of(text.begin(), text.end(), letter);
}

// Bytes of [first, last) in code points.
std::pair<std::size_t, std::size_t> bytes_of(std::string_view text, std::int64_t first, std::int64_t last) {
  std::size_t at = 0, begin = 0;
  for (std::int64_t i = 0; i < last; ++i) {
    if (i == first) begin = at;
    next_code_point(text, at);
  }
  return {begin, at};
}

}  // namespace

std::pair<std::string_view, std::string_view> split_off_end(std::string_view text, double end_frac) {
  const auto wanted = static_cast<std::size_t>(static_cast<double>(text.size()) * (1 - end_frac));
  // Not far from where it was wanted.
  const std::size_t least = wanted - wanted / 20;
  for (const std::string_view border : {"\n\n", "\n", " "}) {
    const std::size_t found = text.rfind(border, wanted);
    if (found == std::string_view::npos || found < least) continue;
    const std::size_t at = found + border.size();
    return {text.substr(0, at), text.substr(at)};
  }
  std::size_t at = wanted;
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return {text.substr(0, at), text.substr(at)};
}

std::vector<std::string> short_sentences(std::string_view text, std::size_t min_words, std::size_t max_words,
                                         std::size_t enough) {
  auto sentences = cut(text, ends_sentence, min_words, max_words);
  if (sentences.size() >= enough) return sentences;
  auto lines = cut(text, ends_line, min_words, max_words);
  return lines.size() > sentences.size() ? lines : sentences;
}

std::vector<std::string> spread_out(const std::vector<std::string>& all, std::size_t count) {
  std::vector<std::string> chosen;
  const std::size_t n = std::min(count, all.size());
  for (std::size_t i = 0; i < n; ++i) chosen.push_back(all[(2 * i + 1) * all.size() / (2 * n)]);
  return chosen;
}

std::pair<std::string, std::string> after_words(const std::string& text, std::size_t words) {
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    const bool ends = is_space(text[at]) && at > 0 && !is_space(text[at - 1]);
    if (ends && ++seen == words) break;
  }
  return {text.substr(0, at), text.substr(at)};
}

std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : trimmed(text)) {
    if (!is_space(c))
      out += c;
    else if (!out.ends_with(' '))
      out += ' ';
  }
  return out;
}

std::optional<HiddenWord> hide_word(const Tokenizer& tokenizer, const std::string& sentence,
                                    RandomStream& random) {
  const std::string text = valid_utf8(sentence);
  const Encoding encoding = tokenizer.encode(text, {.add_special = false});
  std::map<std::int64_t, int> tokens_of_word;
  for (const std::int64_t word : encoding.word_ids) ++tokens_of_word[word];
  std::vector<HiddenWord> words;
  for (std::size_t i = 0; i < encoding.size(); ++i) {
    if (tokens_of_word[encoding.word_ids[i]] != 1 || tokenizer.is_special(encoding.ids[i])) continue;
    const auto [begin, end] = bytes_of(text, encoding.offsets[i].first, encoding.offsets[i].second);
    if (is_word(std::string_view(text).substr(begin, end - begin)))
      words.push_back({.before = text.substr(0, begin),
                       .after = text.substr(end),
                       .word = tokenizer.decode({&encoding.ids[i], 1})});
  }
  if (words.empty()) return std::nullopt;
  return words[random.below(words.size())];
}

}  // namespace mgd
