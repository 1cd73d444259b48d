#include "mgd/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "expect_error.h"
#include "fixture.h"

namespace mgd {
namespace {

using testing::HasSubstr;

class WithFolder : public testing::Test {
 protected:
  WithFolder() : folder(fs::path(testing::TempDir()) / ("mgd_text_" + std::to_string(::getpid()))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    write_file_atomic(folder / "tokenizer.json", fixture_json("bert_cased"));
  }
  ~WithFolder() override { fs::remove_all(folder); }
  const fs::path folder;
};

TEST_F(WithFolder, LoadsAFileOrItsFolder) {
  const Tokenizer of_folder = Tokenizer::load(folder), of_file = Tokenizer::load(folder / "tokenizer.json");
  EXPECT_EQ(of_folder.encode("some words").ids, of_file.encode("some words").ids);
  EXPECT_EQ(of_folder.to_json(), fixture_json("bert_cased"));
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { Tokenizer::load(folder / "nothing"); }),
              HasSubstr("nothing"));
}

TEST_F(WithFolder, SpecialTokensAreThoseOfTheFilesBeside) {
  write_file_atomic(
      folder / "tokenizer_config.json",
      R"({"mask_token": {"content": "[MASK]", "lstrip": true}, "pad_token": "[UNK]", "bos_token": null,
                        "model_max_length": 512})");
  write_file_atomic(folder / "special_tokens_map.json", R"({"pad_token": "[PAD]", "eos_token": "[SEP]"})");
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const SpecialTokens& special = tokenizer.special_tokens();
  EXPECT_EQ(special.mask, tokenizer.id_of("[MASK]"));
  EXPECT_EQ(special.pad, tokenizer.id_of("[UNK]")) << "the first file counts";
  EXPECT_EQ(special.eos, tokenizer.id_of("[SEP]")) << "then the second one";
  EXPECT_EQ(special.cls, tokenizer.id_of("[CLS]")) << "then the usual spelling";
  EXPECT_EQ(special.bos, -1);
  EXPECT_EQ(special.model_max_length, 512);
}

TEST_F(WithFolder, SpecialTokensThatAreNot) {
  write_file_atomic(folder / "tokenizer_config.json",
                    R"({"mask_token": "<blank>", "model_max_length": 1e30})");
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { Tokenizer::load(folder); }),
              HasSubstr("tokenizer_config.json.mask_token: '<blank>' is not in the vocabulary"));
  write_file_atomic(folder / "tokenizer_config.json", R"({"model_max_length": 1e30})");
  EXPECT_EQ(Tokenizer::load(folder).special_tokens().model_max_length, 0);
  write_file_atomic(folder / "tokenizer_config.json", "[1]");
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { Tokenizer::load(folder); }),
              HasSubstr("expected an object"));
}

TEST(Tokenizer, KnowsItsVocabulary) {
  const Tokenizer tokenizer = Tokenizer::from_json(fixture_json("roberta"), "FILE");
  EXPECT_EQ(tokenizer.special_ids().size(), 5u);
  const std::int64_t mask = *tokenizer.id_of("<mask>");
  EXPECT_EQ(tokenizer.special_tokens().mask, mask);
  EXPECT_EQ(tokenizer.token_of(mask), "<mask>");
  EXPECT_EQ(tokenizer.vocab_size(), mask + 1) << "added behind the model's vocabulary";
  EXPECT_TRUE(tokenizer.is_special(mask));
  EXPECT_FALSE(tokenizer.is_special(*tokenizer.id_of("a")));
  EXPECT_FALSE(tokenizer.is_special(-1));
  EXPECT_FALSE(tokenizer.id_of("no such token").has_value());
  EXPECT_THAT(error_of(ExitCode::usage, [&] { tokenizer.token_of(mask + 1); }),
              HasSubstr(std::to_string(mask + 1)));
  EXPECT_EQ(tokenizer.decode(std::vector<std::int64_t>{-5, mask + 7, *tokenizer.id_of("a")}), "a");
}

TEST(Tokenizer, MaxLengthReplacesTheLimitsOfTheFile) {
  auto document = nlohmann::json::parse(fixture_json("bert_cased"));
  document["truncation"] = {
      {"max_length", 8}, {"strategy", "LongestFirst"}, {"stride", 0}, {"direction", "Right"}};
  document["padding"] = {{"strategy", {{"Fixed", 12}}},
                         {"direction", "Right"},
                         {"pad_to_multiple_of", nullptr},
                         {"pad_id", 0},
                         {"pad_type_id", 0},
                         {"pad_token", "[PAD]"}};
  const Tokenizer tokenizer = Tokenizer::from_json(document.dump(), "FILE");
  const std::string text = "one two three four five six seven eight nine ten";
  EXPECT_EQ(tokenizer.encode(text).size(), 12u);
  EXPECT_EQ(tokenizer.encode(text).keep, (std::vector<std::uint8_t>{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_GT(tokenizer.encode(text, {.file_limits = false}).size(), 12u);
  const Encoding five = tokenizer.encode(text, {.max_length = 5});
  EXPECT_EQ(five.size(), 5u);
  EXPECT_EQ(five.ids.back(), *tokenizer.id_of("[SEP]"));
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { tokenizer.encode(text, {.max_length = 1}); }),
              HasSubstr("got 1 tokens at most, expected at least the 2 special ones"));
}

TEST(Tokenizer, BytesThatAreNoTextCountAsReplacementCharacters) {
  const Tokenizer tokenizer = Tokenizer::from_json(fixture_json("gpt2"), "FILE");
  const std::string broken = "a\xFF\xE2\x82 b\xED\xA0\x80\xC0\x80";
  const Encoding encoding = tokenizer.encode(broken);
  EXPECT_EQ(encoding.num_invalid, 7);
  const std::string replaced = "a\uFFFD\uFFFD b\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD";
  EXPECT_EQ(encoding.ids, tokenizer.encode(replaced).ids);
  EXPECT_EQ(tokenizer.decode(encoding.ids), replaced);
  EXPECT_EQ(tokenizer.encode(replaced).num_invalid, 0);
  const std::string with_nul("a\0b", 3);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(with_nul).ids), with_nul);
}

TEST(Tokenizer, AnEmptyTextGivesTheSpecialTokensAlone) {
  const Tokenizer tokenizer = Tokenizer::from_json(fixture_json("bert_uncased"), "FILE");
  EXPECT_EQ(tokenizer.encode("").ids, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(tokenizer.encode("", {.add_special = false}).size(), 0u);
  EXPECT_EQ(tokenizer.decode({}), "");
}

TEST(Tokenizer, ATextThatIsTooLargeIsRefused) {
  const Tokenizer tokenizer = Tokenizer::from_json(fixture_json("bert_uncased"), "FILE");
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { tokenizer.encode(std::string((1 << 25) + 1, 'a')); }),
              HasSubstr("got a text of 33554433 bytes, expected at most 33554432"));
}

TEST(Tokenizer, ThreadsShareOne) {
  const Tokenizer tokenizer = Tokenizer::from_json(fixture_json("llama3"), "FILE");
  const auto texts = tokenizer_fixture().at("texts").get<std::vector<std::string>>();
  std::vector<std::vector<std::int64_t>> expected;
  for (const std::string& text : texts) expected.push_back(tokenizer.encode(text).ids);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i)
        wrong += tokenizer.encode(texts[i]).ids == expected[i] ? 0 : 1;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(DecodeStream, GivesWholeCharacters) {
  const Tokenizer tokenizer = Tokenizer::from_json(fixture_json("gpt2"), "FILE");
  const Encoding encoding = tokenizer.encode("\U0001F600!");
  ASSERT_EQ(encoding.size(), 5u) << "four bytes and a mark";
  DecodeStream stream(tokenizer);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(stream.push(encoding.ids[i]), "");
  EXPECT_EQ(stream.push(encoding.ids[3]), "\U0001F600");
  EXPECT_EQ(stream.push(encoding.ids[4]), "!");
  EXPECT_EQ(stream.push(encoding.ids[0]), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

}  // namespace
}  // namespace mgd
