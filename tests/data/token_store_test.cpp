#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "data/text_toy.h"
#include "mgd/core/publish.h"
#include "mgd/data/text_pieces.h"

namespace mgd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int64_t> document(const TokenStore& store, std::int64_t d) {
  return store.read(store.begin(d), store.length(d)).ids;
}

TEST(TokenStore, HoldsDocumentsAndWords) {
  const TempFolder folder;
  const Tokenizer tokenizer = toy::letters();
  const auto store = toy::store_of(folder, "cab d.\n\nx\n", tokenizer);
  ASSERT_EQ(store->num_documents(), 2);
  const TokenPiece piece = store->read(store->begin(0), store->length(0));
  EXPECT_EQ(tokenizer.decode(piece.ids), "cab d .");
  EXPECT_THAT(piece.word_start, ElementsAre(1, 0, 0, 1, 1));
  EXPECT_EQ(store->length(1), 1);
  EXPECT_EQ(store->num_tokens(), 6);
  EXPECT_THAT(store->read(2, 3).word_start, ElementsAre(0, 1, 1));
  EXPECT_EQ(store->id_at(5), *tokenizer.id_of("x"));
}

TEST(TokenStore, WholeDocumentsCarryTheirSpecialTokens) {
  const TempFolder folder;
  EXPECT_THAT(document(*toy::store_of(folder, "ab\nc", toy::bytes(), true), 0), ElementsAre('a', 'b', 256));
  const auto store = toy::store_of(folder, "ab", toy::letters(), true);
  EXPECT_EQ(document(*store, 0).front(), 2);
  EXPECT_EQ(document(*store, 0).back(), 3);
}

// Random access to any stretch equals the whole, bits included.
TEST(TokenStore, EveryStretchIsReadAlike) {
  const TempFolder folder;
  const auto store = toy::store_of(folder, "the quick brown fox jumps\nover the lazy dog", toy::bytes());
  const TokenPiece all = store->read(0, store->num_tokens());
  for (std::int64_t first = 0; first < store->num_tokens(); ++first)
    for (std::int64_t count = 0; first + count <= store->num_tokens(); ++count) {
      const TokenPiece piece = store->read(first, count);
      const auto n = static_cast<std::size_t>(count);
      ASSERT_TRUE(std::equal(piece.ids.begin(), piece.ids.end(), all.ids.begin() + first))
          << first << " " << n;
      ASSERT_TRUE(
          std::equal(piece.word_start.begin(), piece.word_start.end(), all.word_start.begin() + first));
    }
}

class StoreCache : public testing::Test {
 protected:
  StoreCache() { toy::write(corpus, "abc\nde\n"); }
  OpenedStore open(bool whole = false) const {
    return open_token_store({.files = {corpus}, .whole_documents = whole}, tokenizer, folder.file("cache"));
  }
  const TempFolder folder;
  const std::string corpus = folder.file("corpus.txt");
  const Tokenizer tokenizer = toy::letters();
};

TEST_F(StoreCache, IsMadeOnceAndUsedAgain) {
  const OpenedStore first = open(), second = open();
  EXPECT_TRUE(first.made);
  EXPECT_FALSE(second.made);
  EXPECT_EQ(first.key, second.key);
  EXPECT_EQ(document(*second.store, 1), document(*first.store, 1));
}

TEST_F(StoreCache, EveryInputIsInTheKey) {
  const std::string key = open().key;
  EXPECT_NE(open(true).key, key);
  EXPECT_NE(open_token_store({.files = {corpus}}, toy::bytes(), folder.file("cache")).key, key);
  EXPECT_NE(
      open_token_store({.files = {corpus}, .corpus = {.format = "file"}}, tokenizer, folder.file("cache"))
          .key,
      key);
  toy::write(corpus, "abd\nde\n");  // same size
  EXPECT_NE(open().key, key);
}

// faults.md row 26, for the kept tokens.
TEST_F(StoreCache, DamageIsFoundAndMadeGood) {
  const OpenedStore first = open();
  const fs::path store = fs::path(folder.file("cache")) / first.key;
  const auto wanted = document(*first.store, 0);
  const std::vector<std::pair<std::string, std::function<void()>>> damages = {
      {"tokens.bin does not match its SHA-256",
       [&] { toy::write(store / "tokens.bin", std::string(10, 'x')); }},
      {"tokens.bin has 3 bytes", [&] { toy::write(store / "tokens.bin", "xyz"); }},
      {"documents.bin is missing", [&] { fs::remove(store / "documents.bin"); }},
      {"manifest.json", [&] { fs::remove(store / "manifest.json"); }},
      {"manifest.json is damaged", [&] { toy::write(store / "manifest.json", "{"); }},
  };
  for (const auto& [what, damage] : damages) {
    damage();
    const OpenedStore again = open();
    EXPECT_TRUE(again.made) << what;
    EXPECT_THAT(again.rebuilt, HasSubstr(what));
    EXPECT_EQ(document(*again.store, 0), wanted);
    EXPECT_EQ(verify_manifest(store), "");
    EXPECT_EQ(open().rebuilt, "");
  }
}

// A store that becomes shorter while it is in use is an error and no SIGBUS.
TEST_F(StoreCache, AStoreCutShortInUseIsAnError) {
  const OpenedStore opened = open();
  fs::resize_file(fs::path(folder.file("cache")) / opened.key / "tokens.bin", 4);
  expect_error([&] { document(*opened.store, 1); }, ExitCode::io, {"tokens.bin", "cut short"});
}

TEST_F(StoreCache, NothingIsLeftOfAFailedBuild) {
  toy::write(corpus, "\n\n");
  expect_error([&] { open(); }, ExitCode::bad_data, {"corpus.txt", "no documents"});
  EXPECT_TRUE(fs::is_empty(folder.file("cache")));
  expect_error(
      [&] { open_token_store({.files = {folder.file("none.txt")}}, tokenizer, folder.file("cache")); },
      ExitCode::missing_input, {"none.txt"});
}

CorpusOptions labelled(TargetKind kind) {
  return {.format = "tsv", .columns = {"0"}, .target = "1", .kind = kind};
}

TEST(TokenStore, RowsThatCannotBeReadAreLeftOutAndCounted) {
  const TempFolder folder;
  std::string text = "ab\tgood\nonly one\ncd\tbad\n";
  for (int i = 0; i < 200; ++i) text += "x\tgood\n";
  const auto store = toy::store_of(folder, text, toy::letters(), false, labelled(TargetKind::label));
  EXPECT_EQ(store->info().num_rows, 202);
  EXPECT_EQ(store->info().num_corrupt, 1);
  EXPECT_THAT(store->info().corrupt, ElementsAre(std::pair<const std::string, std::string>(
                                         "corpus.txt:2", "1 columns, expected at least 2")));
  EXPECT_THAT(store->info().labels, ElementsAre("good", "bad"));
  EXPECT_EQ(store->target(1), 1);
  expect_error(
      [&] {
        toy::store_of(folder, "a\t1\nb\tx\nc\ty\n", toy::letters(), false, labelled(TargetKind::score));
      },
      ExitCode::bad_data,
      {"2 of 3 documents cannot be read", "at most 1", "corpus.txt:2: 1: got 'x', expected a number"});
}

TEST(TokenStore, ScoresAreNumbers) {
  const TempFolder folder;
  const auto store =
      toy::store_of(folder, "a\t3.8\nb\t 0 \n", toy::letters(), false, labelled(TargetKind::score));
  EXPECT_EQ(store->target(0), 3.8);
  EXPECT_EQ(store->target(1), 0);
}

std::int64_t status_kb(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stoll(line.substr(key.size() + 1));
  return 0;
}

// faults.md row 18.
TEST(Fault, Row18_InvalidUtf8AndNulAreCountedAndKept) {
  const TempFolder folder;
  const Tokenizer tokenizer = toy::bytes();
  const auto store = toy::store_of(folder, std::string("a\xFF\xC3(b\0c\n", 8) + "fine\n", tokenizer);
  EXPECT_EQ(store->info().num_invalid, 2);
  EXPECT_EQ(tokenizer.decode(document(*store, 0)), std::string("a\xEF\xBF\xBD\xEF\xBF\xBD(b\0c", 11));
  EXPECT_EQ(store->info().num_rows, 2);
}

TEST(Fault, Row18_AHugeLineTakesBoundedMemory) {
  const TempFolder folder;
  const std::string path = folder.file("huge.txt");
  constexpr std::size_t kBytes = 100'000'000;
  {
    std::ofstream out(path, std::ios::binary);
    std::string chunk;
    while (chunk.size() < 1'000'000) chunk += "some words and \xC3\xA4 ";
    for (std::size_t n = 0; n < kBytes; n += chunk.size()) out << chunk;
  }
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak is counted from here
  [[maybe_unused]] const std::int64_t before = status_kb("VmRSS:");
  const auto opened = open_token_store({.files = {path}}, toy::bytes(), folder.file("cache"));
  EXPECT_GE(opened.store->num_tokens(), static_cast<std::int64_t>(kBytes));
  EXPECT_EQ(opened.store->num_documents(), 1);
  EXPECT_EQ(opened.store->info().num_cut, 1);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT((status_kb("VmHWM:") - before) / 1024, 512) << "MB";
#endif
}

// Parts are tokenised by themselves; with a tokenizer of bytes nothing shows of it.
TEST(TokenStore, PartsOfADocumentAreJoined) {
  const TempFolder folder;
  std::string text;
  while (text.size() < 2 * kMaxPieceBytes + 5) text += "abc de" + std::to_string(text.size()) + "\n";
  const auto store = toy::store_of(folder, text, toy::bytes(), true, {.format = "file"});
  EXPECT_EQ(store->num_documents(), 1);
  auto ids = toy::ids_of(text);
  ids.push_back(256);
  EXPECT_EQ(document(*store, 0), ids);
}

}  // namespace
}  // namespace mgd
