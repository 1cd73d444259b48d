#include "mgd/text/excerpt.h"

#include <gtest/gtest.h>

#include "mgd/core/file.h"
#include "mgd/text/tokenizer_templates.h"
#include "mgd/text/train_tokenizer.h"

namespace mgd {
namespace {

using Texts = std::vector<std::string>;
using Cut = std::pair<std::string_view, std::string_view>;

TEST(Excerpt, TheEndIsCutOffAtTheBestBorderNearby) {
  const std::string words(100, 'x');
  const std::string paragraphs = words + "\n\n" + words + "\nab cd";
  EXPECT_EQ(split_off_end(words + "\n\nab cd", 0.05), Cut(words + "\n\n", "ab cd"));
  EXPECT_EQ(split_off_end(paragraphs, 0.02), Cut(words + "\n\n" + words + "\n", "ab cd"));
  EXPECT_EQ(split_off_end(words + " ab", 0.02), Cut(words + " ", "ab"));
  // A border too far away does not count, and no character is cut in two.
  EXPECT_EQ(split_off_end("a\n\n" + words, 0.5).first.size(), 51U);
  EXPECT_EQ(split_off_end("\u00E9\u00E9", 0.2), Cut("\u00E9", "\u00E9"));
  EXPECT_EQ(split_off_end("", 0.1), Cut("", ""));
}

TEST(Excerpt, SentencesKeepTheirLines) {
  const std::string text =
      "ROMEO:\nIs the day so young? But new.\n\nNo full stop here\n\nMr.X went home at last!";
  EXPECT_EQ(short_sentences(text, 4, 6, 1),
            (Texts{"ROMEO:\nIs the day so young?", "No full stop here", "Mr.X went home at last!"}));
  EXPECT_EQ(short_sentences("one two\nthree four\nfive", 2, 3, 1), (Texts{"one two", "three four"}));
  EXPECT_TRUE(short_sentences("", 1, 9, 1).empty());
}

TEST(Excerpt, SpreadOut) {
  EXPECT_EQ(spread_out({"a", "b", "c", "d", "e", "f"}, 3), (Texts{"b", "d", "f"}));
  EXPECT_EQ(spread_out({"a", "b"}, 9), (Texts{"a", "b"}));
  EXPECT_TRUE(spread_out({}, 2).empty());
}

TEST(Excerpt, BeginningsAndOneLine) {
  EXPECT_EQ(after_words("a\n b  c d", 2), (std::pair<std::string, std::string>("a\n b", "  c d")));
  EXPECT_EQ(after_words("a b", 5), (std::pair<std::string, std::string>("a b", "")));
  EXPECT_EQ(on_one_line("  a\n\n b\tc "), "a b c");
}

TEST(Excerpt, OneWordOfTheVocabularyIsHidden) {
  const fs::path file = fs::path(::testing::TempDir()) / "excerpt_words.txt";
  std::string text;
  for (int i = 0; i < 9; ++i) text += "caf\u00E9 king, my horse! caf\u00E9 king, my horse!\n";
  write_file_atomic(file, text);
  const Tokenizer tokenizer = train_tokenizer(std::vector{file}, {.vocab_size = 60});
  RandomStream random(random_key(1, "test"), 0, 0);
  std::map<std::string, int> seen;
  for (int i = 0; i < 50; ++i) {
    const auto hidden = hide_word(tokenizer, "My \u00E9zq King, my Horse!", random);
    ASSERT_TRUE(hidden);
    ++seen[hidden->before + "|" + hidden->word + "|" + hidden->after];
  }
  // Not "My", which is short, and not what is no single token of the vocabulary.
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_TRUE(seen.contains("My \u00E9zq |king|, my Horse!"));
  EXPECT_TRUE(seen.contains("My \u00E9zq King, my |horse|!"));
  EXPECT_FALSE(hide_word(tokenizer, "my zq.", random));
  EXPECT_FALSE(hide_word(tokenizer, "", random));
}

}  // namespace
}  // namespace mgd
