#include "mgd/data/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/text_toy.h"
#include "mgd/data/text_pieces.h"

namespace mgd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<CorpusPart> parts_of(const std::string& bytes, const CorpusOptions& options) {
  const TempFolder folder;
  const std::string path = folder.file("c.txt");
  toy::write(path, bytes);
  const auto reader = open_corpus(path, options);
  std::vector<CorpusPart> parts;
  for (CorpusPart part; reader->next(part);) parts.push_back(part);
  return parts;
}

// One text a part; '|' between the texts of a pair, '>' before a target, '!' before a problem.
std::vector<std::string> texts_of(const std::string& bytes, const CorpusOptions& options) {
  std::vector<std::string> all;
  for (const CorpusPart& part : parts_of(bytes, options)) {
    std::string text;
    for (const auto& t : part.texts) text += (text.empty() ? "" : "|") + t;
    if (!part.target.empty()) text += ">" + part.target;
    if (!part.problem.empty()) text += "!" + part.problem;
    all.push_back(text + (part.last ? "" : "..."));
  }
  return all;
}

CorpusOptions rows(const std::string& format, std::vector<std::string> columns,
                   const std::string& target = "", TargetKind kind = TargetKind::none) {
  return {.format = format, .columns = std::move(columns), .target = target, .kind = kind};
}

TEST(Corpus, LinesWithEveryKindOfEnd) {
  EXPECT_THAT(texts_of("\xEF\xBB\xBFone\r\ntwo\n\n  \nthree", {.format = "lines"}),
              ElementsAre("one", "two", "three"));
  EXPECT_THAT(texts_of("one\n", {.format = "lines"}), ElementsAre("one"));
  EXPECT_THAT(texts_of("", {.format = "lines"}), ElementsAre());
  EXPECT_THAT(texts_of(std::string("a\0b\n", 4), {.format = "lines"}), ElementsAre(std::string("a\0b", 3)));
}

TEST(Corpus, ParagraphsKeepTheirLines) {
  EXPECT_THAT(texts_of("\n\na\nb\n \n\nc\r\nd", {.format = "paragraphs"}), ElementsAre("a\nb", "c\nd"));
  EXPECT_THAT(texts_of("\n \n", {.format = "paragraphs"}), ElementsAre());
}

TEST(Corpus, AFileIsItsBytes) {
  EXPECT_THAT(texts_of("a\n\nb\r\n", {.format = "file"}), ElementsAre("a\n\nb\r\n"));
}

TEST(Corpus, NumbersOfLinesAreKept) {
  const auto parts = parts_of("a\n\nb\n", {.format = "lines"});
  EXPECT_EQ(parts[1].line, 3);
  EXPECT_EQ(parts_of("\n\na\nb", {.format = "paragraphs"})[0].line, 3);
}

TEST(Corpus, TheSentencePairsOfStsB) {
  EXPECT_THAT(texts_of("news\tMSR\t2012\t0001\t5.000\tA \"quote.\tA, quote.\nf\tx\ty\t3\t0.5\tb\tc\textra\n",
                       rows("tsv", {"5", "6"}, "4", TargetKind::score)),
              ElementsAre("A \"quote.|A, quote.>5.000", "b|c>0.5"));
}

TEST(Corpus, NamesOfColumnsComeFromTheHeader) {
  const auto sst2 = rows("tsv", {"sentence"}, "label", TargetKind::label);
  EXPECT_THAT(texts_of("sentence\tlabel\nit is fine\t1\n", sst2), ElementsAre("it is fine>1"));
  EXPECT_THAT(texts_of("sentence\tlabel\nshort\n", sst2), ElementsAre("!1 columns, expected at least 2"));
  expect_error([&] { texts_of("sentense\tlabel\nx\t1\n", sst2); }, ExitCode::usage,
               {"there is no column 'sentence'", "did you mean 'sentense'"});
}

// One quote that nobody closes would take the rest of the file into a cell.
TEST(Corpus, AQuoteThatStaysOpenIsAnErrorWithItsLine) {
  const auto csv = rows("csv", {"text"}, "label", TargetKind::label);
  expect_error([&] { texts_of("text,label\na,x\n\"b,x\nc,y\nd,y\n", csv); }, ExitCode::bad_data,
               {"c.txt:3: a quote opens here", "the 2 lines that follow", "text.format: tsv"});
  expect_error([&] { texts_of("text,label\n\"a\nb\",\"x\nc,y\n", csv); }, ExitCode::bad_data, {"c.txt:3:"});
  expect_error([&] { texts_of("text,\"label\na,x\n", csv); }, ExitCode::bad_data, {"c.txt:1:"});
  EXPECT_THAT(texts_of("text,label\n\"a\nb\nc\"\n", csv),
              ElementsAre("!1 columns, expected at least 2, in a row of 3 lines; is a quote left open?"));
}

TEST(Corpus, TabsInACsvAreNoticed) {
  const std::string stsb = "news\tMSR\t2012\t1\t5.0\tA b, c.\tA.\n";
  EXPECT_THAT(texts_of(stsb, rows("csv", {"5", "6"}, "4", TargetKind::score)),
              ElementsAre(HasSubstr("it looks separated by tabs: write text.format: tsv")));
  expect_error(
      [&] { texts_of("sentence\tlabel\nfine\t1\n", rows("csv", {"sentence"}, "label", TargetKind::label)); },
      ExitCode::usage, {"there is no column 'sentence'", "it looks separated by tabs"});
}

TEST(Corpus, BlankLinesAreCounted) {
  const TempFolder folder;
  for (const auto& [format, bytes, blank] : {std::tuple{"lines", "a\n\n \nb\n\n", 3},
                                             {"tsv", "text\n\na\n\n", 2},
                                             {"jsonl", "\n{\"text\": \"a\"}\n", 1},
                                             {"paragraphs", "a\n\n\nb", 0}}) {
    toy::write(folder.file("c.txt"), bytes);
    const auto reader = open_corpus(folder.file("c.txt"), rows(format, {"text"}));
    for (CorpusPart part; reader->next(part);) continue;
    EXPECT_EQ(reader->num_blank(), blank) << format;
  }
}

TEST(Corpus, QuotedCellsOfCsv) {
  EXPECT_THAT(texts_of("text,label\n\"a, \"\"b\"\"\nsecond line\",1\nplain 5\" disk,0\n",
                       rows("csv", {"text"}, "label", TargetKind::label)),
              ElementsAre("a, \"b\"\nsecond line>1", "plain 5\" disk>0"));
}

TEST(Corpus, FieldsOfJsonLines) {
  const auto json = rows("jsonl", {"text"}, "label", TargetKind::label);
  EXPECT_THAT(
      texts_of("{\"label\": 2, \"text\": \"a\\u00e4\\n\", \"more\": {\"text\": [1]}}\n\n"
               "{\"text\": \"b\"}\n[1]\n{\"text\": [], \"label\": 1}\n{\"text\": \"c\", \"label\": true} x\n",
               json),
      ElementsAre("a\xC3\xA4\n>2", "!there is no field 'label'", "!got a list, expected a JSON object",
                  "!field 'text': got a list, expected a text or a number", HasSubstr("!not valid JSON")));
  const auto parts = parts_of("{\"text\": \"a\xFF\"}", rows("jsonl", {"text"}));
  EXPECT_EQ(parts[0].texts[0], "a\xEF\xBF\xBD");
  EXPECT_EQ(parts[0].num_invalid, 1);
}

TEST(Corpus, TheEndingDecidesTheFormat) {
  EXPECT_EQ(corpus_format("a/b.jsonl", "auto"), "jsonl");
  EXPECT_EQ(corpus_format("b.tsv", "auto"), "tsv");
  EXPECT_EQ(corpus_format("b.tsv", "lines"), "lines");
  EXPECT_EQ(corpus_format("b.text", "auto"), "lines");
}

// A long document comes in parts whose sum it is, none above the limit, cut before white space.
TEST(Corpus, LongDocumentsComeInParts) {
  std::string text;
  while (text.size() < 3 * kMaxPieceBytes + 17)
    text += "word\xC3\xA4 and " + std::to_string(text.size()) + "  ";
  for (const char* format : {"lines", "paragraphs", "file"}) {
    std::string joined;
    const auto parts = parts_of("first\n\n" + text + "\n\nlast\n", {.format = format});
    std::int64_t cut = 0;
    for (const CorpusPart& part : parts) {
      EXPECT_LE(part.texts[0].size(), kMaxPieceBytes);
      cut += part.last ? 0 : 1;
      if (!part.last) {
        EXPECT_NE(part.texts[0].back(), ' ');
      }
      joined += part.texts[0] + (part.last && format != std::string("file") ? "\n\n" : "");
    }
    EXPECT_GE(cut, 3) << format;
    EXPECT_LE(cut, 4) << format;
    EXPECT_EQ(joined, "first\n\n" + text + (format == std::string("file") ? "\n\nlast\n" : "\n\nlast\n\n"));
  }
  const std::string umlauts(kMaxPieceBytes / 2 * 3, '\xC3');
  std::string solid;
  for (const char c : umlauts) (solid += c) += '\xA4';
  for (const CorpusPart& part : parts_of("x" + solid, {.format = "lines"}))
    EXPECT_EQ(valid_utf8_prefix(part.texts[0]), part.texts[0].size());
}

TEST(Corpus, RowsAboveTheLimitAreProblems) {
  const std::string huge(std::size_t{9} << 20, 'x');
  for (const char* format : {"tsv", "csv"}) {
    const auto texts = texts_of("a\n" + huge + "\nb\n", rows(format, {"0"}));
    ASSERT_EQ(texts.size(), 3U);
    EXPECT_THAT(texts[1], HasSubstr("!a row above 4194304 bytes"));
    EXPECT_EQ(texts[2], "b");
  }
  const std::string open = "a\n\"" + std::string(100'000, '\n') + huge + "\nb\n";
  expect_error([&] { texts_of(open, rows("csv", {"0"})); }, ExitCode::bad_data,
               {"c.txt:2: a quote opens here", "the 100000 lines that follow"});
}

}  // namespace
}  // namespace mgd
