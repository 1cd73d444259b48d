#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "expect_error.h"
#include "mgd/text/lines.h"
#include "mgd/text/train_merges.h"
#include "mgd/text/train_tokenizer.h"

namespace mgd {
namespace {

using testing::HasSubstr;

class Training : public testing::Test {
 protected:
  Training() : folder(fs::path(testing::TempDir()) / ("mgd_train_" + std::to_string(::getpid()))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Training() override { fs::remove_all(folder); }
  fs::path file(const std::string& text, const std::string& name = "text.txt") const {
    write_file_atomic(folder / name, text);
    return folder / name;
  }
  const fs::path folder;
};

using Merges = std::vector<std::pair<std::string, std::string>>;

// The example of Sennrich et al. (2016), by hand: e+s 9, es+t 9, l+o 7, lo+w 7, n+e 6, ne+w 6, new+est 6, ...
TEST(LearnMerges, TheMostFrequentPairComesFirst) {
  const WordCounts words{{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}};
  const LearnedMerges learned = learn_merges(words, {.vocab_size = 16, .special_tokens = {"[X]"}});
  EXPECT_EQ(learned.vocab[0], "[X]");
  EXPECT_EQ(learned.vocab[1], "d") << "the alphabet in the order of its code points";
  EXPECT_EQ(learned.vocab.size(), 16u);
  EXPECT_EQ(learned.merges, (Merges{{"e", "s"}, {"es", "t"}, {"l", "o"}, {"lo", "w"}, {"e", "w"}}));
}

TEST(LearnMerges, OverlappingPairsAreCountedOnce) {
  const LearnedMerges learned = learn_merges({{"aaaa", 3}}, {.vocab_size = 100});
  EXPECT_EQ(learned.merges, (Merges{{"a", "a"}, {"aa", "aa"}}));
}

TEST(LearnMerges, StopsWhenNothingIsFrequent) {
  EXPECT_EQ(learn_merges({{"ab", 1}, {"cd", 2}}, {.vocab_size = 100}).merges, (Merges{{"c", "d"}}));
  EXPECT_EQ(learn_merges({{"ab", 1}, {"cd", 2}}, {.vocab_size = 100, .min_frequency = 1}).merges.size(), 2u);
}

TEST(LearnMerges, ContinuationsHaveAPrefix) {
  const LearnedMerges learned = learn_merges({{"aba", 4}}, {.vocab_size = 100, .prefix = "##"});
  EXPECT_EQ(learned.merges, (Merges{{"a", "##b"}, {"ab", "##a"}}));
  EXPECT_THAT(learned.vocab, testing::ElementsAre("a", "b", "##b", "##a", "ab", "aba"));
}

TEST(LearnMerges, TheAlphabetCanBeBounded) {
  const LearnedMerges learned = learn_merges({{"aab", 4}, {"bz", 1}}, {.vocab_size = 9, .max_alphabet = 2});
  EXPECT_EQ(std::count(learned.vocab.begin(), learned.vocab.end(), "z"), 0);
}

TEST_F(Training, WordPieceSpellsItsText) {
  const Tokenizer tokenizer =
      train_tokenizer(std::vector{file("The cat sat. The cats sat! the CAT\n")}, {.vocab_size = 60});
  EXPECT_EQ(tokenizer.special_tokens().mask, 4);
  const Encoding encoding = tokenizer.encode("Cats sat", {.pieces = true});
  EXPECT_THAT(encoding.pieces, testing::ElementsAre("[CLS]", "cat", "##s", "sat", "[SEP]"));
  EXPECT_EQ(tokenizer.decode(encoding.ids), "cats sat");
  EXPECT_EQ(tokenizer.encode_pair("cat", "cat").type_ids, (std::vector<std::int64_t>{0, 0, 0, 1, 1}));
}

TEST_F(Training, BytePairsSpellAnything) {
  const Tokenizer tokenizer =
      train_tokenizer(std::vector{file("low lower lowest low low\n")}, {.kind = "bpe", .vocab_size = 270});
  const std::string text = " low \u4E2D\U0001F600\n";
  const Encoding encoding = tokenizer.encode(text);
  EXPECT_EQ(encoding.ids[1], *tokenizer.id_of("\u0120low"));
  EXPECT_EQ(encoding.offsets[1], (std::pair<std::int64_t, std::int64_t>{1, 4}));
  EXPECT_EQ(tokenizer.decode(encoding.ids), text);
  EXPECT_EQ(tokenizer.token_of(tokenizer.special_tokens().mask), "<mask>");
}

TEST_F(Training, CharactersAreTokens) {
  const Tokenizer tokenizer =
      train_tokenizer(std::vector{file("h\u00E9 h\u00E9\n\n")}, {.kind = "char", .vocab_size = 50});
  EXPECT_EQ(tokenizer.vocab_size(), 3 + 3) << "h, \u00E9, line break; the space occurs once";
  const Encoding encoding = tokenizer.encode("\u00E9h\n\u4E2D");
  EXPECT_EQ(encoding.ids.size(), 4u);
  EXPECT_EQ(encoding.ids[3], tokenizer.special_tokens().unk);
  EXPECT_EQ(encoding.offsets[1], (std::pair<std::int64_t, std::int64_t>{1, 2}));
  EXPECT_EQ(tokenizer.decode(encoding.ids), "\u00E9h\n");
}

TEST_F(Training, WhatOfTheTextIsRepairedOrLeftOutIsCounted) {
  const fs::path text = file("caf\xE9 caf\xE9 ab ab\n" + std::string(2000, 'x') + "\n");
  for (const char* kind : {"wordpiece", "bpe", "char"}) {
    TrainingTexts read;
    train_tokenizer(std::vector{text}, {.kind = kind, .vocab_size = 300}, &read);
    EXPECT_EQ(read.num_invalid, 2) << kind;
    EXPECT_EQ(read.num_long_words, std::string(kind) == "char" ? 0 : 1) << kind;
  }
}

TEST_F(Training, SpecialTokensOfTheTextAreNotLearned) {
  const Tokenizer tokenizer =
      train_tokenizer(std::vector{file("<unk> <unk> <unk> ab ab\n")}, {.kind = "bpe", .vocab_size = 300});
  EXPECT_FALSE(tokenizer.id_of("<u").has_value());
}

TEST_F(Training, IsTheSameTwiceAndOpensWhatItWrites) {
  const fs::path text = file("one two three two one, two. three-two-one\n");
  for (const char* kind : {"wordpiece", "bpe", "char"}) {
    const TokenizerTraining options{.kind = kind, .vocab_size = 280, .min_frequency = 1};
    const Tokenizer tokenizer = train_tokenizer(std::vector{text}, options);
    EXPECT_EQ(tokenizer.to_json(), train_tokenizer(std::vector{text}, options).to_json()) << kind;
    const fs::path out = folder / kind;
    write_tokenizer(tokenizer, out);
    const Tokenizer opened = Tokenizer::load(out);
    EXPECT_EQ(opened.encode("two ones").ids, tokenizer.encode("two ones").ids);
    EXPECT_EQ(opened.special_tokens().mask, tokenizer.special_tokens().mask);
    EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { write_tokenizer(tokenizer, out); }),
                HasSubstr("is there already"));
    write_tokenizer(tokenizer, out, /*overwrite=*/true);
  }
}

TEST_F(Training, RefusesWhatCannotBe) {
  const fs::path text = file("a text\n");
  EXPECT_THAT(error_of(ExitCode::usage, [&] { train_tokenizer(std::vector{text}, {.kind = "wordpeace"}); }),
              HasSubstr("got 'wordpeace', expected wordpiece, bpe or char; did you mean 'wordpiece'?"));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { train_tokenizer(std::vector{text}, {.vocab_size = 5}); }),
              HasSubstr("got 5, expected more than the 5 special tokens"));
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { train_tokenizer(std::vector{folder / "none"}, {}); }),
              HasSubstr("none"));
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { train_tokenizer(std::vector{file("", "empty")}, {}); }),
              HasSubstr("no text to learn a vocabulary from"));
}

std::vector<std::string> lines_of(const fs::path& path, std::size_t max_bytes,
                                  std::size_t* num_cut = nullptr) {
  std::vector<std::string> out;
  std::string line;
  LineReader reader(path, max_bytes);
  while (reader.next(line)) out.push_back(line);
  if (num_cut != nullptr) *num_cut = reader.num_cut();
  return out;
}

TEST_F(Training, LinesKeepTheirBreaks) {
  EXPECT_THAT(lines_of(file("a\r\n\nbc"), 100), testing::ElementsAre("a\r\n", "\n", "bc"));
  EXPECT_TRUE(lines_of(file(""), 100).empty());
}

TEST_F(Training, LongLinesComeInParts) {
  std::size_t num_cut = 0;
  EXPECT_THAT(lines_of(file("aaaa bbbb cccc\nd\n"), 8, &num_cut),
              testing::ElementsAre("aaaa", " bbbb", " cccc\n", "d\n"));
  EXPECT_EQ(num_cut, 1u);
  // Three-byte characters in windows of eight: never half of one.
  EXPECT_THAT(lines_of(file("\u4E2D\u4E2D\u4E2D\u4E2D\n"), 8),
              testing::ElementsAre("\u4E2D\u4E2D", "\u4E2D\u4E2D\n"));
  const std::string broken(30, '\x80');
  std::string all;
  for (const std::string& part : lines_of(file(broken), 8)) {
    EXPECT_LE(part.size(), 8u);
    all += part;
  }
  EXPECT_EQ(all, broken);
}

}  // namespace
}  // namespace mgd
