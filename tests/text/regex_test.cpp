#include "mgd/text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"

namespace mgd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  std::vector<Match> found;
  Regex(pattern, "PLACE").find_all(text, found);
  std::vector<std::string> out;
  for (const Match& match : found)
    if (match.matched) out.push_back(text.substr(match.begin, match.end - match.begin));
  return out;
}

TEST(Regex, CoversTheText) {
  std::vector<Match> found;
  Regex("b+", "PLACE").find_all("abbcb", found);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[1].begin, 1u);
  EXPECT_EQ(found[1].end, 3u);
  EXPECT_TRUE(found[1].matched);
  EXPECT_FALSE(found[2].matched);
  Regex("x", "PLACE").find_all("", found);
  EXPECT_TRUE(found.empty());
}

// Expectations of this file are what Oniguruma does with the same pattern (Ruby's syntax).
TEST(Regex, EscapesMeanWhatTheyMeanInRuby) {
  EXPECT_THAT(matches("\\h+", "xyzBEEF09g"), ElementsAre("BEEF09"));
  EXPECT_THAT(matches("\\s", "a\u180Eb\u0085c"), ElementsAre("\u0085")) << "U+180E is no space";
  EXPECT_THAT(matches("[^\\s]", "\u180E "), ElementsAre("\u180E"));
  EXPECT_THAT(matches("[\\S]", "\u180E "), ElementsAre("\u180E"));
  EXPECT_THAT(matches("\\S", " x\u3000"), ElementsAre("x"));
  EXPECT_THAT(matches("\\w+", "a\u0301_\u0967-\u00BD"), ElementsAre("a\u0301_\u0967", "\u00BD"));
  EXPECT_THAT(matches("\\d", "1\u0967\u00BD"), ElementsAre("1", "\u0967"));
  EXPECT_THAT(matches("\\v", "\n\v"), ElementsAre("\v"));
  EXPECT_THAT(matches("\\u00e9|\\x61|\\x{4E2D}", "a\u00E9\u4E2D"), ElementsAre("a", "\u00E9", "\u4E2D"));
  EXPECT_THAT(matches("\\ba", "a ba"), ElementsAre("a"));
  EXPECT_THAT(matches("\\Ba", "a ba"), ElementsAre("a"));
}

TEST(Regex, LinesAndOptions) {
  EXPECT_THAT(matches("^a", "a\na"), ElementsAre("a", "a"));
  EXPECT_THAT(matches("a$", "a\na"), ElementsAre("a", "a"));
  EXPECT_THAT(matches("a.b", "a\nb"), ElementsAre());
  EXPECT_THAT(matches("(?m)a.b", "a\nb"), ElementsAre("a\nb"));
  EXPECT_THAT(matches("(?m:a.b)", "a\nb"), ElementsAre("a\nb"));
  EXPECT_THAT(matches("(?i:'S)", "it's"), ElementsAre("'s"));
}

TEST(Regex, Properties) {
  EXPECT_THAT(matches("\\p{^L}", "a1"), ElementsAre("1"));
  EXPECT_THAT(matches("\\P{L}", "a1"), ElementsAre("1"));
  EXPECT_THAT(matches("\\P{^L}", "a1"), ElementsAre("a"));
  // U+30FC belongs to Hiragana and Katakana by extension, to Common by script.
  EXPECT_THAT(matches("\\p{Katakana}+", "\u30AB\u30FC"), ElementsAre("\u30AB"));
}

TEST(Regex, BracesThatCountNothingAreText) {
  EXPECT_THAT(matches("a{", "a{"), ElementsAre("a{"));
  EXPECT_THAT(matches("a{,2}b", "aaab"), ElementsAre("aab"));
  EXPECT_THAT(matches("a{2}", "aaaa"), ElementsAre("aa", "aa"));
}

TEST(Regex, EmptyMatchesDoNotFollowAMatch) {
  std::vector<Match> found;
  Regex("b*", "PLACE").find_all("abb", found);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].end, 0u);
  EXPECT_EQ(found[1].end, 1u);
  EXPECT_EQ(found[2].begin, 1u);
}

TEST(Regex, LiteralsAreText) {
  std::vector<Match> found;
  Regex::literal("a.b(", "PLACE").find_all("xa.b(axb(", found);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[1].begin, 1u);
  Regex::literal("", "PLACE").find_all("ab", found);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found[0].matched);
}

TEST(Regex, WhatHasNoTranslationIsRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {{"[a[bc]]", "a class within a class"},
                                                       {"[a&&b]", "an intersection"},
                                                       {"[[:alpha:]]", "a POSIX class"},
                                                       {"(?~a)", "an absence operator"},
                                                       {"(*FAIL)", "(*"},
                                                       {"a{2}+", "a + behind {}"},
                                                       {"\\Qa\\E", "\\Q"},
                                                       {"(?s)a", "(?s"},
                                                       {"\\xE9", "\\x80 and above"},
                                                       {"[\\W]", "a negated escape"},
                                                       {"a\\", "a backslash"},
                                                       {"\\pL", "\\p without"}};
  for (const auto& [pattern, construct] : cases)
    EXPECT_THAT(error_of(ExitCode::bad_data, [&, p = pattern] { Regex(p, "PLACE"); }),
                testing::AllOf(HasSubstr("PLACE: "), HasSubstr(construct)))
        << pattern;
}

}  // namespace
}  // namespace mgd
