#include "mgd/data/text_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "data/text_toy.h"
#include "expect_error.h"
#include "mgd/core/file.h"
#include "mgd/data/source_lines.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class TextData : public testing::Test {
 protected:
  Config config(const std::string& task) const {
    Config c;
    c.task = task;
    c.data.path = folder.file("data");
    c.data.validation = 0;
    c.text.max_length = 16;
    return c;
  }
  void write(const std::string& name, const std::string& text) const {
    toy::write(folder.file("data/" + name), text);
  }
  TextDataset open(const Config& c) const { return open_text(c, tokenizer, folder.file("cache")); }
  std::vector<std::string> texts(const TextSource& source) const {
    std::vector<std::string> all;
    for (std::int64_t i = 0; i < source.size(); ++i)
      all.push_back(tokenizer.decode(source.sample(i, 0).sequences.at(0).ids));
    return all;
  }
  const TempFolder folder;
  const Tokenizer tokenizer = toy::letters();
};

TEST_F(TextData, SplitsAreFilesOfTheFolder) {
  write("train.txt", "a\nb\n");
  write("valid.txt", "c\n");
  write("test.txt", "d\n");
  Config c = config("mlm");
  c.text.validation = "valid";
  const TextDataset data = open(c);
  EXPECT_THAT(texts(*data.train), ElementsAre("a", "b"));
  EXPECT_THAT(texts(*data.validation), ElementsAre("c"));
  EXPECT_THAT(texts(*data.test), ElementsAre("d"));
  EXPECT_EQ(data.fingerprint.size(), 64U);
  EXPECT_TRUE(data.changes.empty());
  EXPECT_TRUE(data.unread.empty());
}

TEST_F(TextData, ASplitMayBeAFolderOfFiles) {
  write("train/b.txt", "b\n");
  write("train/a/z.txt", "a\n");
  write("train/readme.md", "no text of the corpus\n");
  const TextDataset data = open(config("mlm"));
  EXPECT_THAT(texts(*data.train), ElementsAre("a", "b"));
  EXPECT_EQ(data.test, nullptr);
  EXPECT_EQ(data.validation, nullptr);
}

TEST_F(TextData, AFileIsTheTrainingSplit) {
  write("corpus.txt", "a\nb\n");
  write("held.txt", "c\n");
  Config c = config("mlm");
  c.data.path = folder.file("data/corpus.txt");
  EXPECT_EQ(open(c).test, nullptr);
  c.data.test = "held.txt";
  EXPECT_THAT(texts(*open(c).test), ElementsAre("c"));
  c.data.test = "helt";
  expect_error([&] { open(c); }, ExitCode::missing_input, {"data.test 'helt'", "held.txt"});
}

TEST_F(TextData, DocumentsAreHeldOutByTheFixedRule) {
  std::string text;
  for (char d = 'a'; d <= 'j'; ++d) text += std::string(1, d) + "\n";
  write("train.txt", text);
  Config c = config("mlm");
  c.data.validation = 0.3;
  const TextDataset data = open(c);
  EXPECT_THAT(texts(*data.validation), ElementsAre("d", "g", "j"));
  EXPECT_EQ(data.train->size(), 7);
  c.text.samples = "packed";
  EXPECT_EQ(open(c).validation->sample(0, 0).sequences.size(), 3U);
}

// tinyshakespeare's rule: the last tenth of the characters.
TEST_F(TextData, BlocksHoldOutTheTail) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>('a' + i % 26);
  toy::write(folder.file("data/all.txt"), text);
  Config c = config("clm");
  c.data.path = folder.file("data/all.txt");
  c.data.validation = 0.1;
  c.text.samples = "blocks";
  c.text.format = "file";
  c.text.max_length = 5;
  const Tokenizer bytes = toy::bytes();
  const TextDataset data = open_text(c, bytes, folder.file("cache"));
  // 100 letters and the end token.
  std::string held;
  for (std::int64_t i = 0; i < data.validation->size(); ++i)
    held += bytes.decode(data.validation->sample(i, 3).sequences[0].ids);
  EXPECT_EQ(held, text.substr(90));
  for (std::int64_t epoch = 0; epoch < 20; ++epoch)
    for (std::int64_t i = 0; i < data.train->size(); ++i) {
      const TextSequence s = data.train->sample(i, epoch).sequences[0];
      EXPECT_EQ(s.ids.size(), 5U);
      EXPECT_LT(text.find(bytes.decode(s.ids)), 86U);
    }
}

TEST_F(TextData, LabelsBecomeClasses) {
  write("train.tsv", "sentence\tlabel\na\tpos\nb\tneg\nc\tpos\n");
  write("test.tsv", "sentence\tlabel\nd\tneg\n");
  Config c = config("classify");
  c.text.columns = {"sentence"};
  TextDataset data = open(c);
  EXPECT_THAT(data.class_names, ElementsAre("neg", "pos"));
  EXPECT_EQ(data.train->sample(0, 0).label, 1);
  EXPECT_EQ(data.train->sample(1, 0).label, 0);
  EXPECT_EQ(data.test->sample(0, 0).label, 0);
  c.data.per_class = 1;
  EXPECT_THAT(texts(*open(c).train), ElementsAre("a", "b"));
  write("test.tsv", "sentence\tlabel\nd\tneutral\n");
  expect_error([&] { open(c); }, ExitCode::bad_data, {"the test split has the label 'neutral'"});
}

// Stars from 1 to 5 are five classes, and none is called 0.
TEST_F(TextData, NumbersAreClassesByTheirNames) {
  std::string rows = "text,label\n";
  for (const char* stars : {"5", "1", "10", "2", "4", "3"}) rows += std::string("a,") + stars + "\n";
  write("train.csv", rows);
  const TextDataset data = open(config("classify"));
  EXPECT_THAT(data.class_names, ElementsAre("1", "2", "3", "4", "5", "10"));
  EXPECT_EQ(data.train->sample(0, 0).label, 4);
  EXPECT_EQ(data.train->sample(1, 0).label, 0);
  write("train.csv", "text,label\na,1.0\nb,0.0\nc,-1\n");
  EXPECT_THAT(open(config("classify")).class_names, ElementsAre("-1", "0.0", "1.0"));
  write("train.csv", "text,label\na,10\nb,9\nc,x\n");
  EXPECT_THAT(open(config("classify")).class_names, ElementsAre("10", "9", "x"));
}

TEST_F(TextData, ScoresAreNoClasses) {
  write("train.csv", "text,label\na,3.5\nb,0\nc,2.25\n");
  expect_error([&] { open(config("classify")); }, ExitCode::bad_data,
               {"column 'label' holds 3 numbers such as 3.5", "task embed"});
  write("train.csv", "text,label\na,1e-3\nb,0\n");
  expect_error([&] { open(config("classify")); }, ExitCode::bad_data, {"such as 1e-3"});
}

TEST_F(TextData, APromptStandsBeforeEachText) {
  write("train.tsv", "a\tb\tscore\ncd\te\t1\n");
  Config c = config("embed");
  c.text.columns = {"a", "b"};
  c.text.target = "score";
  c.text.prompt = "x ";
  const TextSample sample = open(c).train->sample(0, 0);
  EXPECT_EQ(tokenizer.decode(sample.sequences[0].ids, false), "[CLS] x cd [SEP]");
  EXPECT_EQ(tokenizer.decode(sample.sequences[1].ids, false), "[CLS] x e [SEP]");
  c.text.prompt = "";
  EXPECT_EQ(tokenizer.decode(open(c).train->sample(0, 0).sequences[0].ids, false), "[CLS] cd [SEP]")
      << "kept tokens of another prompt are not used";
}

TEST_F(TextData, CompressedSplitsAreReadByTheirContent) {
  // "a\nb\n"
  const std::string gzip("\x1F\x8B\x08\0\0\0\0\0\x02\xFFK\xE4J\xE2\x02\0\x97*W\x18\x04\0\0\0", 24);
  write("train.txt.gz", gzip);
  write("test.txt", gzip);
  const TextDataset data = open(config("mlm"));
  EXPECT_THAT(texts(*data.train), ElementsAre("a", "b"));
  EXPECT_THAT(texts(*data.test), ElementsAre("a", "b"));
  write("train.txt.gz", gzip.substr(0, 14));
  expect_error([&] { open(config("mlm")); }, ExitCode::bad_data, {"train.txt.gz", "cannot be unpacked"});
}

TEST_F(TextData, WhatIsNoUtf8TextIsRefused) {
  const auto refusal = [&](const std::string& bytes) {
    write("train.txt", bytes);
    return error_of(ExitCode::bad_data, [&] { open(config("mlm")); });
  };
  const std::string wide("a\0b\0\n\0c\0\n\0", 10), big("\0a\0b\0\n\0c\0\n", 10);
  EXPECT_THAT(refusal("\xFF\xFE" + wide), AllOf(HasSubstr("UTF-16"), HasSubstr("iconv -f UTF-16 -t UTF-8")));
  EXPECT_THAT(refusal(wide), HasSubstr("iconv -f UTF-16LE"));
  EXPECT_THAT(refusal(big), HasSubstr("iconv -f UTF-16BE"));
  EXPECT_THAT(refusal(std::string("a\0\0\0b\0\0\0\n\0\0\0", 12)), HasSubstr("UTF-32LE"));
  EXPECT_THAT(refusal(std::string("\xFF\xFE\0\0a\0\0\0", 8)), HasSubstr("UTF-32"));
  EXPECT_THAT(refusal("PK\x03\x04 and so on"), HasSubstr("zip archive"));
  EXPECT_THAT(refusal("PAR1 and so on"), HasSubstr("Parquet"));
  EXPECT_THAT(refusal("%PDF-1.4"), HasSubstr("PDF"));
  write("train.txt", std::string("a\0b c d e f g\n", 14));
  EXPECT_EQ(open(config("mlm")).train->size(), 1) << "a zero by itself is a character";
}

TEST_F(TextData, WhatIsNotReadOrCutIsCounted) {
  write("train/a.txt", "a\n\n \nb\n");
  write("train/readme.md", "x");
  write("train/x.json", "{}");
  write("train/y.json", "{}");
  const TextDataset data = open(config("mlm"));
  EXPECT_EQ(data.changes.at("train (a.txt)"), "2 blank lines left out");
  EXPECT_TRUE(data.unread.empty()) << "a blank line is no document that could not be read";
  EXPECT_THAT(data.notes, ElementsAre("files of other kinds are not read: 2 .json, 1 .md"));
  fs::remove_all(folder.file("data/train"));
  write("train.csv", "text,label\nabcdefgh,x\n,y\nabc,x\n");
  Config c = config("classify");
  c.text.max_length = 6;
  const TextDataset rows = open(c);
  EXPECT_EQ(rows.changes.at("train (train.csv)"), "1 texts without a token");
  EXPECT_THAT(rows.notes, ElementsAre("1 of 3 training rows are longer than 6 tokens and lose their end"));
  EXPECT_EQ(rows.train->longest(), 6);
  c.text.max_length = 16;
  EXPECT_EQ(open(c).train->longest(), 10);
}

TEST_F(TextData, PairsWithScores) {
  write("train.tsv", "news\tMSR\t2012\t0001\t5.000\tab\tcd\nx\ty\tz\t2\t0.5\te\tf\n");
  Config c = config("embed");
  c.text.columns = {"5", "6"};
  c.text.target = "4";
  const TextDataset data = open(c);
  const TextSample sample = data.train->sample(0, 0);
  ASSERT_EQ(sample.sequences.size(), 2U);
  EXPECT_EQ(tokenizer.decode(sample.sequences[1].ids, false), "[CLS] cd [SEP]");
  EXPECT_EQ(sample.score, 5);
}

TEST_F(TextData, TasksWithTargetsNeedColumns) {
  write("train.txt", "a\n");
  expect_error([&] { open(config("classify")); }, ExitCode::usage,
               {"text.format: got lines", "task classify needs columns"});
}

TEST_F(TextData, WithoutATargetTextsHaveNone) {
  write("train.txt", "a\nb\n");
  for (const char* task : {"classify", "embed"}) {
    Config c = config(task);
    c.text.target = "";
    const TextDataset data = open(c);
    EXPECT_THAT(texts(*data.train), ElementsAre("a", "b"));
    EXPECT_TRUE(data.class_names.empty());
    EXPECT_EQ(data.train->sample(0, 0).label, -1);
    EXPECT_TRUE(std::isnan(data.train->sample(0, 0).score));
  }
}

TEST_F(TextData, TheCacheLiesInTheRunFolderUnlessGiven) {
  Config c = config("mlm");
  c.run.dir = "runs/x";
  EXPECT_EQ(token_cache_dir(c), "runs/x/tokens");
  c.text.cache_dir = "/kept";
  EXPECT_EQ(token_cache_dir(c), "/kept");
}

TEST_F(TextData, WhatIsNotThereIsNamed) {
  write("training.txt", "a\n");
  expect_error([&] { open(config("mlm")); }, ExitCode::missing_input,
               {"there is no data.train 'train'", "training.txt"});
  Config c = config("mlm");
  c.data.path = folder.file("nowhere");
  expect_error([&] { open(c); }, ExitCode::missing_input, {"nowhere"});
  c.data.path = "";
  expect_error([&] { open(c); }, ExitCode::usage, {"data.path: no data given"});
}

// What the run's data_report.json gets.
TEST_F(TextData, RepairsAndLossesAreReported) {
  std::string text =
      "a\xFF"
      "b\n";
  for (int i = 0; i < 300; ++i) text += "a\n";
  write("train.txt", text);
  const TextDataset repaired = open(config("mlm"));
  EXPECT_EQ(repaired.changes.at("train (train.txt)"), "1 places that are no UTF-8, read as U+FFFD");
  EXPECT_TRUE(repaired.unread.empty());
  fs::remove(folder.file("data/train.txt"));
  std::string rows = "{\"text\": \"x\"}\nbroken\n";
  for (int i = 0; i < 300; ++i) rows += "{\"text\": \"x\"}\n";
  write("train.jsonl", rows);
  const TextDataset data = open(config("mlm"));
  EXPECT_TRUE(data.changes.empty());
  ASSERT_EQ(data.unread.size(), 1U);
  EXPECT_EQ(data.unread[0].where, "train (train.jsonl)");
  EXPECT_EQ(data.unread[0].documents, 1);
  EXPECT_EQ(data.unread[0].of, 302);
  EXPECT_THAT(data.unread[0].first.at("train.jsonl:2"), HasSubstr("not valid JSON"));
  EXPECT_THAT(unread_lines(data.unread[0]),
              ElementsAre("1 of 302 documents of train (train.jsonl) could not be read and was left out:",
                          HasSubstr("train.jsonl:2: not valid JSON")));
}

// Only the first are named; the count is that of all.
TEST(UnreadLines, CountWhatIsNotNamedToo) {
  UnreadDocuments unread{.where = "test (a.csv)", .documents = 9, .of = 2000};
  for (const char* place : {"a.csv:1", "a.csv:2", "a.csv:3", "a.csv:4", "a.csv:5", "a.csv:6"})
    unread.first[place] = "no column 'text'";
  const std::vector<std::string> lines = unread_lines(unread);
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_EQ(lines[0], "9 of 2000 documents of test (a.csv) could not be read and were left out:");
  EXPECT_EQ(lines[1], "  a.csv:1: no column 'text'");
  EXPECT_EQ(lines[6], "  ... and 4 more");
  EXPECT_TRUE(unread_lines(UnreadDocuments{}).empty());
}

TEST_F(TextData, ADamagedCacheIsRebuiltAndNoted) {
  write("train.txt", "abc\n");
  open(config("mlm"));
  for (const auto& entry : fs::recursive_directory_iterator(folder.file("cache")))
    if (entry.path().filename() == "tokens.bin") std::ofstream(entry.path()) << "xxxxxx";
  const TextDataset data = open(config("mlm"));
  EXPECT_THAT(data.notes, ElementsAre(HasSubstr("train corpus: the kept tokens are damaged (tokens.bin")));
  EXPECT_THAT(texts(*data.train), ElementsAre("abc"));
}

TEST_F(TextData, FingerprintsFollowTheText) {
  write("train.txt", "abc\n");
  const std::string first = open(config("mlm")).fingerprint;
  EXPECT_EQ(open(config("mlm")).fingerprint, first);
  write("train.txt", "abd\n");
  EXPECT_NE(open(config("mlm")).fingerprint, first);
  write("train.txt", "abc\n");
  Config c = config("mlm");
  c.text.max_length = 8;
  EXPECT_NE(open(c).fingerprint, first);
}

TEST_F(TextData, TheTokenizerMayComeWithAModel) {
  Config c = config("mlm");
  expect_error([&] { tokenizer_path(c); }, ExitCode::usage, {"text.tokenizer: none given"});
  toy::write(folder.file("teacher/tokenizer.json"), "{}");
  c.teacher.path = folder.file("teacher");
  EXPECT_EQ(tokenizer_path(c), folder.file("teacher"));
  c.student.path = folder.file("gone");
  EXPECT_EQ(tokenizer_path(c), folder.file("teacher")) << "found before anybody looks there";
  c.teacher.path.clear();
  expect_error([&] { tokenizer_path(c); }, ExitCode::missing_input, {"gone: no such model folder"});
  c.text.tokenizer = "own.json";
  EXPECT_EQ(tokenizer_path(c), "own.json");
}

// As pandas writes a column of whole numbers in which one is missing.
TEST_F(TextData, OneNumberIsOneClass) {
  Config c = config("classify");
  c.text.columns = {"text"};
  write("train.csv", "text,label\na,1\nb,2\nc,1.0\n");
  expect_error([&] { open(c); }, ExitCode::bad_data, {"'1' and '1.0'", "two classes"});
  write("train.csv", "text,label\na,1.0\nb,2.0\nc,1.0\n");
  EXPECT_THAT(open(c).class_names, ElementsAre("1.0", "2.0"));
  write("train.csv", "text,label\na,caf\xC3\xA9\nb,bar\nc,cafe\xCC\x81\n");
  EXPECT_THAT(open(c).class_names, ElementsAre("bar", "caf\xC3\xA9"));
}

TEST_F(TextData, MeasuredRowsThatWereLearnedAreCounted) {
  Config c = config("classify");
  c.text.columns = {"text"};
  write("train.csv", "text,label\na,x\nb,y\nc,x\nd,y\n");
  write("test.csv", "text,label\na,y\ne,x\na,x\n");  // whatever the label
  EXPECT_THAT(open(c).notes, ElementsAre("2 of 3 test rows are in the training part too, token for token"));
  write("test.csv", "text,label\nf,y\ne,x\n");
  EXPECT_THAT(open(c).notes, testing::IsEmpty());
  write("train.csv", "text,label\na,x\nb,y\na,x\nb,y\n");
  c.data.validation = 0.5;
  EXPECT_THAT(open(c).notes, testing::SizeIs(0)) << "every second row is another text";
  write("train.csv", "text,label\na,x\na,y\nb,x\nc,y\n");
  EXPECT_THAT(open(c).notes, ElementsAre(HasSubstr("1 of 2 validation rows is in the training part")));
  c.data.train = c.data.test = "test";  // as a measure alone opens it
  c.data.validation = 0;
  EXPECT_THAT(open(c).notes, testing::IsEmpty());
}

}  // namespace
}  // namespace mgd
