// Samples of every kind, over texts of the tokenizer bytes(): a character is its id.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "data/text_toy.h"
#include "mgd/data/text_source.h"

namespace mgd {
namespace {

using testing::ElementsAre;

std::string text_of(const TextSequence& sequence) {
  std::string text;
  for (const std::int64_t id : sequence.ids) text += id == 256 ? '$' : static_cast<char>(id);
  if (sequence.next_id >= 0)
    text += std::string(">") + (sequence.next_id == 256 ? '$' : static_cast<char>(sequence.next_id));
  return text;
}

std::vector<std::string> texts_of(const TextSource& source, std::int64_t epoch = 0) {
  std::vector<std::string> all;
  for (std::int64_t i = 0; i < source.size(); ++i) {
    std::string text;
    const TextSample sample = source.sample(i, epoch);
    EXPECT_EQ(sample.id, i);
    for (const TextSequence& sequence : sample.sequences)
      text += (text.empty() ? "" : " ") + text_of(sequence);
    all.push_back(text);
  }
  return all;
}

std::vector<std::int64_t> first(std::int64_t n) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class Samples : public testing::Test {
 protected:
  TextCorpus corpus(const std::string& text, std::int64_t max_length, bool whole = true) {
    return {.store = toy::store_of(folder, text, tokenizer, whole), .frame = {}, .max_length = max_length};
  }
  const TempFolder folder;
  const Tokenizer tokenizer = toy::bytes();
};

TEST_F(Samples, LongDocumentsAreCutAndKnowWhatFollows) {
  const auto source = document_samples(corpus("abcdefg\nx\nuvw\n", 4), first(3));
  EXPECT_THAT(texts_of(*source), ElementsAre("abcd>e", "efg$", "x$", "uvw$"));
  EXPECT_EQ(source->num_tokens(), 14);
  EXPECT_THAT(texts_of(*document_samples(corpus("abcdefg\nx\nuvw\n", 4), {2})), ElementsAre("uvw$"));
}

TEST_F(Samples, SpecialTokensStandAroundEachPieceAndCount) {
  const Tokenizer letters = toy::letters();
  TextCorpus c{
      .store = toy::store_of(folder, "abcde f", letters), .frame = single_frame(letters), .max_length = 6};
  const auto source = document_samples(c, {0});
  ASSERT_EQ(source->size(), 2);
  const TextSequence one = source->sample(0, 0).sequences[0], two = source->sample(1, 0).sequences[0];
  EXPECT_EQ(letters.decode(one.ids, false), "[CLS] abcd [SEP]");
  EXPECT_THAT(one.word_start, ElementsAre(1, 1, 0, 0, 0, 1));
  EXPECT_EQ(letters.decode(two.ids, false), "[CLS]e f [SEP]");
  c.max_length = 2;
  expect_error([&] { document_samples(c, {0}); }, ExitCode::usage,
               {"text.max_length: got 2", "2 special tokens"});
}

TEST_F(Samples, DocumentsWithoutTokensGiveNoSample) {
  const auto source = document_samples(corpus("\xC2\xA0\na", 4, false), first(2));
  EXPECT_EQ(source->size(), 2);
  const Tokenizer letters = toy::letters();
  const TextCorpus c{
      .store = toy::store_of(folder, "\xE2\x80\x83\na\n", letters), .frame = {}, .max_length = 4};
  ASSERT_EQ(c.store->length(0), 0);
  EXPECT_EQ(document_samples(c, first(2))->size(), 1);
}

using MaskContract = Samples;

// What is packed keeps its borders: a document is a sequence of its own, and only a cut one knows what
// follows.
TEST_F(MaskContract, Line5_PackedDocumentsStayByThemselves) {
  const auto source = packed_samples(corpus("ab\ncd\nefghijklm\nn\nop\n", 8), first(5));
  EXPECT_THAT(texts_of(*source), ElementsAre("ab$ cd$", "efghijkl>m", "m$ n$ op$"));
  for (std::int64_t i = 0; i < source->size(); ++i) {
    std::size_t tokens = 0;
    for (const TextSequence& s : source->sample(i, 0).sequences) tokens += s.ids.size();
    EXPECT_LE(tokens, 8U);
  }
}

TEST_F(Samples, BlocksCoverTheCorpusOnce) {
  const auto c = corpus("abcdefghij", 4, false);
  EXPECT_THAT(texts_of(*block_samples(c, {.begin = 0, .end = 10})), ElementsAre("abcd>e", "efgh>i", "i>j"));
  EXPECT_THAT(texts_of(*block_samples(c, {.begin = 2, .end = 7})), ElementsAre("cdef>g"));
  EXPECT_THAT(texts_of(*block_samples(c, {.begin = 2, .end = 3})), ElementsAre("c"));
  EXPECT_EQ(block_samples(c, {.begin = 3, .end = 3})->size(), 0);
}

TEST_F(Samples, MovingBlocksBeginElsewhereInEveryEpoch) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>('a' + i * i % 26);
  const auto c = corpus(text, 10, false);
  const auto source = block_samples(c, {.begin = 0, .end = 1000, .moving = true, .seed = 3});
  EXPECT_EQ(source->size(), 99);
  std::set<std::size_t> offsets;
  std::vector<bool> seen(1000);
  for (std::int64_t epoch = 0; epoch < 60; ++epoch) {
    // Whole blocks, end to end, from one offset.
    std::string joined;
    for (const std::string& block : texts_of(*source, epoch)) {
      ASSERT_EQ(block.size(), 12U);
      joined += block.substr(0, 10);
    }
    const std::size_t offset = text.find(joined);
    ASSERT_NE(offset, std::string::npos);
    EXPECT_LT(offset, 10U);
    offsets.insert(offset);
  }
  EXPECT_EQ(offsets.size(), 10U);
  EXPECT_EQ(texts_of(*source, 7), texts_of(*source, 7));
  EXPECT_NE(texts_of(*block_samples(c, {.begin = 0, .end = 1000, .moving = true, .seed = 4}), 7),
            texts_of(*source, 7));
}

// Every length, small ones above all: blocks stay inside and are as many in every epoch.
TEST_F(Samples, MovingBlocksOfSmallCorpora) {
  const auto c = corpus("abcdefghijklmnopqrstuvwxyz", 5, false);
  for (std::int64_t end = 1; end <= 26; ++end) {
    const auto source = block_samples(c, {.begin = 0, .end = end, .moving = true});
    EXPECT_GE(source->size(), 1);
    for (std::int64_t epoch = 0; epoch < 20; ++epoch)
      for (std::int64_t i = 0; i < source->size(); ++i) {
        const TextSequence s = source->sample(i, epoch).sequences[0];
        EXPECT_EQ(s.ids.size(),
                  std::min<std::size_t>(5, static_cast<std::size_t>(std::max<std::int64_t>(end - 1, 1))));
        EXPECT_EQ(s.next_id >= 0, end > 1);
        EXPECT_LE(s.ids.back() - 'a' + (end > 1 ? 1 : 0), end - 1);
      }
  }
}

class Rows : public testing::Test {
 protected:
  std::shared_ptr<const TokenStore> pairs(const std::string& text) {
    return toy::store_of(folder, text, tokenizer, false,
                         {.format = "tsv", .columns = {"0", "1"}, .target = "2", .kind = TargetKind::score});
  }
  const TempFolder folder;
  const Tokenizer tokenizer = toy::letters();
};

// The tokenizer itself is the oracle: encode_pair with the same limit.
TEST_F(Rows, PairsAreFramedAndCutAsTheTokenizerDoes) {
  std::string text;
  std::vector<std::pair<std::string, std::string>> all;
  for (std::size_t a = 1; a < 9; ++a)
    for (std::size_t b = 1; b < 9; ++b) {
      all.emplace_back(std::string("abcdefgh").substr(0, a), std::string("stuvwxyz").substr(0, b));
      text += all.back().first + "\t" + all.back().second + "\t" + std::to_string(a) + "\n";
    }
  const auto store = pairs(text);
  for (const std::int64_t max_length : {5, 6, 9, 12, 40}) {
    const auto source =
        row_samples({.store = store, .frame = single_frame(tokenizer), .max_length = max_length}, first(64),
                    {.pair = pair_frame(tokenizer)});
    ASSERT_EQ(source->size(), 64);
    for (std::int64_t i = 0; i < 64; ++i) {
      const auto& [a, b] = all[static_cast<std::size_t>(i)];
      const Encoding wanted = tokenizer.encode_pair(a, b, {.max_length = max_length});
      const TextSample sample = source->sample(i, 0);
      ASSERT_EQ(sample.sequences.size(), 1U);
      EXPECT_EQ(sample.sequences[0].ids, wanted.ids) << a << " " << b << " " << max_length;
      EXPECT_EQ(sample.sequences[0].type_ids, wanted.type_ids);
      EXPECT_EQ(sample.score, static_cast<double>(a.size()));
      EXPECT_EQ(sample.label, -1);
    }
  }
}

TEST_F(Rows, TextsToCompareAreTwoSequences) {
  const auto source =
      row_samples({.store = pairs("ab\tcdefg\t3.8\n"), .frame = single_frame(tokenizer), .max_length = 5},
                  {0}, {.pair = pair_frame(tokenizer), .two_sequences = true});
  const TextSample sample = source->sample(0, 0);
  ASSERT_EQ(sample.sequences.size(), 2U);
  EXPECT_EQ(tokenizer.decode(sample.sequences[0].ids, false), "[CLS] ab [SEP]");
  EXPECT_EQ(tokenizer.decode(sample.sequences[1].ids, false), "[CLS] cde [SEP]");
  EXPECT_EQ(sample.score, 3.8);
}

// truncation_side: left, as the tokenizer itself cuts.
TEST_F(Rows, TextsMayLoseTheirBeginning) {
  TextCorpus corpus{.store = pairs("abcdef\tstuvw\t1\n"),
                    .frame = single_frame(tokenizer),
                    .max_length = 8,
                    .cuts_left = true};
  const auto framed = row_samples(corpus, {0}, {.pair = pair_frame(tokenizer)});
  const auto apart = row_samples(corpus, {0}, {.pair = pair_frame(tokenizer), .two_sequences = true});
  const auto short_ones =
      row_samples({.store = corpus.store, .frame = corpus.frame, .max_length = 5, .cuts_left = true}, {0},
                  {.pair = pair_frame(tokenizer), .two_sequences = true});
  EXPECT_EQ(tokenizer.decode(framed->sample(0, 0).sequences[0].ids, false), "[CLS]def [SEP]vw [SEP]");
  EXPECT_EQ(tokenizer.decode(apart->sample(0, 0).sequences[0].ids, false), "[CLS] abcdef [SEP]");
  EXPECT_EQ(tokenizer.decode(short_ones->sample(0, 0).sequences[1].ids, false), "[CLS]uvw [SEP]");
  EXPECT_EQ(framed->num_cut(), 1);
  EXPECT_EQ(apart->num_cut(), 0);
  EXPECT_EQ(framed->num_tokens(), 5) << "d e f and v w: what is cut off is not read";
  EXPECT_EQ(apart->num_tokens(), 11);
  EXPECT_EQ(short_ones->num_tokens(), 6);
  EXPECT_EQ(apart->longest(), 8);
  EXPECT_EQ(short_ones->longest(), 5);
}

TEST_F(Rows, ScoresAreKnownBeforeTheFirstStep) {
  const auto source =
      row_samples({.store = pairs("a\tb\t2\na\tb\t-1\na\tb\t5\n"), .frame = single_frame(tokenizer)}, {0, 1},
                  {.two_sequences = true});
  EXPECT_EQ(source->scores().least, -1);
  EXPECT_EQ(source->scores().largest, 2);
}

TEST(TextFrame, OfDocumentsEndsInTheEndToken) {
  EXPECT_EQ(document_frame(toy::bytes()).after.ids, std::vector<std::int64_t>{256});
  EXPECT_TRUE(document_frame(toy::bytes()).before.ids.empty());
  EXPECT_EQ(document_frame(toy::letters()).before.ids, std::vector<std::int64_t>{2});
  EXPECT_EQ(document_frame(toy::letters()).after.ids, std::vector<std::int64_t>{3});
}

TEST(TextFrame, TokenizersThatAddNothing) {
  const Tokenizer tokenizer = toy::bytes();
  EXPECT_EQ(single_frame(tokenizer).size(), 0);
  EXPECT_EQ(pair_frame(tokenizer).size(), 0);
  EXPECT_EQ(pair_frame(toy::letters()).size(), 3);
}

}  // namespace
}  // namespace mgd
