#include "mgd/text/utf8.h"

#include <gtest/gtest.h>

#include "mgd/text/byte_level.h"
#include "mgd/text/unicode.h"

namespace mgd {
namespace {

TEST(Utf8, EveryCharacterComesBack) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    const std::string text = to_utf8(c);
    std::size_t at = 0;
    ASSERT_EQ(next_code_point(text, at), c);
    ASSERT_EQ(at, text.size());
    ASSERT_EQ(last_code_point_bytes("x" + text, text.size() + 1), text.size());
    ASSERT_EQ(valid_utf8_prefix(text), text.size());
  }
}

// Table 3-8 and the examples of the Unicode standard, 3.9.
TEST(Utf8, MaximalPartsAreReplaced) {
  std::int64_t n = 0;
  EXPECT_EQ(valid_utf8("a\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", &n),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(n, 6);
  EXPECT_EQ(valid_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", nullptr),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"
            "A");
  EXPECT_EQ(valid_utf8("\xF4\x91\x92\x93"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(valid_utf8("12345678\xE4\xB8"), "12345678\uFFFD");
  EXPECT_EQ(valid_utf8_prefix("123456789\xE4\xB8\xAD\xFF"), 12u);
}

TEST(Unicode, VersionsOfTheTables) {
  EXPECT_TRUE(is_punctuation(U'\u00A1'));
  EXPECT_TRUE(is_punctuation(U'$')) << "every ASCII symbol";
  EXPECT_FALSE(is_punctuation(U'\u00A3'));
  EXPECT_FALSE(is_punctuation(U'\u2E4A')) << "came with Unicode 11";
  EXPECT_TRUE(is_control(U'\u200D'));
  EXPECT_TRUE(is_control(U'\uE000'));
  EXPECT_FALSE(is_control(U'\u0378')) << "unassigned";
  EXPECT_TRUE(is_mark(U'\u0903'));
  EXPECT_FALSE(is_nonspacing_mark(U'\u0903'));
  EXPECT_EQ(lower_case(U'\u0130').second, U'\u0307');
  EXPECT_EQ(lower_case(U'\u00C9').first, U'\u00E9');
  EXPECT_TRUE(is_white_space(U'\u0085'));
  EXPECT_FALSE(is_white_space(U'\u200B'));
}

TEST(ByteLevel, EveryByteHasItsCharacter) {
  for (unsigned b = 0; b < 256; ++b) EXPECT_EQ(byte_of_character(byte_characters()[b]), b);
  EXPECT_EQ(byte_characters()[' '], U'\u0120');
  EXPECT_FALSE(byte_of_character(U' ').has_value());
  EXPECT_FALSE(byte_of_character(0x144).has_value());
  EXPECT_FALSE(byte_of_character(0x4E2D).has_value());
}

}  // namespace
}  // namespace mgd
