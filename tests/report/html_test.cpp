#include "mgd/report/html.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "mgd/report/base64.h"
#include "mgd/report/number.h"

namespace mgd {
namespace {

TEST(Html, EscapesMarkup) {
  EXPECT_EQ(escape_html("<script>&\"'"), "&lt;script&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escape_html("plain \u00E9 \u732B \U0001F408"), "plain \u00E9 \u732B \U0001F408");
}

TEST(Html, ControlCharactersBecomeVisible) {
  EXPECT_EQ(escape_html(std::string_view("a\n\t\x1b[0m\x7f\0", 9)), "a\u240A\u2409\u241B[0m\u2421\u2400");
  EXPECT_EQ(escape_html_block("a\n\tb\r\x1b"), "a\n\tb\u240D\u241B");
}

TEST(Html, WhatIsNotUtf8OrDeceivesIsReplaced) {
  for (std::string_view bad : {"\xff", "\xc0", "\x80", "\u202E", "\u2066", "\u009B"}) {
    EXPECT_EQ(escape_html(bad), "\uFFFD") << bad;
  }
  EXPECT_EQ(escape_html("\xe2\x82"), "\uFFFD\uFFFD");            // cut short
  EXPECT_EQ(escape_html("\xe0\x80\xbc"), "\uFFFD\uFFFD\uFFFD");  // overlong '<'
  EXPECT_EQ(escape_html("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // surrogate
}

TEST(Html, WriterEscapesAndBalances) {
  Html html;
  html.open("a", {{"title", "\"x\""}}).text("<b>").close("a");
  EXPECT_EQ(html.take(), "<a title=\"&quot;x&quot;\">&lt;b&gt;</a>\n");
  html.open("p");
  EXPECT_THROW(html.close("div"), std::logic_error);
  EXPECT_THROW(html.take(), std::logic_error);
}

// RFC 4648, section 10.
TEST(Base64, KnownAnswers) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Number, ReadsWell) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(853), "853");
  EXPECT_EQ(count_text(78042), "78.0 k");
  EXPECT_EQ(count_text(999'600), "1.00 M");
  EXPECT_EQ(count_text(12'510'000), "12.5 M");
  EXPECT_EQ(bytes_text(312), "312 B");
  EXPECT_EQ(bytes_text(3'451'208), "3.45 MB");
  EXPECT_EQ(exact_text(12'500'000), "12,500,000");
  EXPECT_EQ(exact_text(-123), "-123");
  EXPECT_EQ(ms_text(0.838), "0.84 ms");
  EXPECT_EQ(ms_text(1200), "1.20 s");
  EXPECT_EQ(percent_text(0.91342), "91.34 %");
  EXPECT_EQ(value_text(0.43125), "0.4313");
  EXPECT_EQ(value_text(1234.5678), "1235");
  EXPECT_EQ(value_text(1.25e-5), "1.25e-5");
  EXPECT_EQ(value_text(0), "0");
  EXPECT_EQ(times_text(10.93), "11");
  EXPECT_EQ(times_text(2.0), "2");
  EXPECT_EQ(tick_text(0.05, 0.05, 0.1), "0.05");
  EXPECT_EQ(tick_text(5000, 5000, 10000), "5k");
  EXPECT_EQ(tick_text(2500, 2500, 7500), "2500");
}

}  // namespace
}  // namespace mgd
