// Parts of a plain text to be shown to a person, or kept apart from training.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

// The text in two, the second about `end_frac` of it: cut between two paragraphs where there are some, else
// between lines, else before white space, else between characters.
std::pair<std::string_view, std::string_view> split_off_end(std::string_view text, double end_frac);

// Its sentences of `min_words` to `max_words` words, as they stand, line breaks within them included. A
// sentence ends at . ! or ? before white space, and at an empty line. Where there are fewer than `enough` of
// them, its lines of that size.
std::vector<std::string> short_sentences(std::string_view text, std::size_t min_words, std::size_t max_words,
                                         std::size_t enough);

// `count` of them at equal distances, the same each time; all when they are fewer.
std::vector<std::string> spread_out(const std::vector<std::string>& all, std::size_t count);

// The text up to the end of its first `words` words, and the rest.
std::pair<std::string, std::string> after_words(const std::string& text, std::size_t words);

// White space of any kind and length becomes one blank; none at either end.
std::string on_one_line(std::string_view text);

struct HiddenWord {
  std::string before, after;
  std::string word;  // as the tokenizer decodes it
};
// One word of the sentence, drawn from those of at least three letters that are one token of the vocabulary.
std::optional<HiddenWord> hide_word(const Tokenizer& tokenizer, const std::string& sentence,
                                    RandomStream& random);

}  // namespace mgd
