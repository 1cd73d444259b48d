// Files that nobody should have written: each is refused with its place, and none takes long.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "mgd/text/tokenizer.h"

namespace mgd {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json plain() {
  return json::parse(R"({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": null, "truncation": null, "padding": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<unk>": 3}, "merges": [["a", "b"]],
              "unk_token": "<unk>"}})");
}

std::string refusal(const json& document) {
  return error_of(ExitCode::bad_data, [&] { Tokenizer::from_json(document.dump(), "FILE"); });
}

TEST(Hostile, WhatIsPlainIsAccepted) {
  const Tokenizer tokenizer = Tokenizer::from_json(plain().dump(), "FILE");
  EXPECT_EQ(tokenizer.encode("abba").ids, (std::vector<std::int64_t>{2, 1, 0}));
}

TEST(Hostile, NoTokenizer) {
  EXPECT_THAT(error_of(ExitCode::bad_data, [] { Tokenizer::from_json("{\"model\": ", "FILE"); }),
              HasSubstr("FILE: not valid JSON"));
  EXPECT_THAT(error_of(ExitCode::bad_data, [] { Tokenizer::from_json("[]", "FILE"); }),
              HasSubstr("FILE: got a list, expected an object"));
  EXPECT_THAT(error_of(ExitCode::bad_data, [] { Tokenizer::from_json("{}", "FILE"); }),
              HasSubstr("'model' is missing"));
  json old = plain();
  old["version"] = "2.0";
  EXPECT_THAT(refusal(old), HasSubstr("got the version '2.0', expected 1.0"));
}

TEST(Hostile, MergesToUnknownTokens) {
  json document = plain();
  document["model"]["merges"] = json::array({json::array({"a", "b"}), json::array({"b", "c"})});
  EXPECT_THAT(refusal(document),
              HasSubstr("FILE: model.merges[1]: the merge needs 'c', which is not in the vocabulary"));
  document["model"]["merges"] = json::array({"a b", "b a"});
  EXPECT_THAT(refusal(document), HasSubstr("model.merges[1]: the merge needs 'ba'"));
  document["model"]["merges"] = json::array({"ab"});
  EXPECT_THAT(refusal(document), HasSubstr("model.merges[0]: got 'ab', expected two tokens and one space"));
  document["model"]["merges"] = json::array({json::array({"a", "b", "a"})});
  EXPECT_THAT(refusal(document), HasSubstr("got a list of 3, expected two tokens"));
}

TEST(Hostile, DuplicateIds) {
  json document = plain();
  document["model"]["vocab"]["c"] = 1;
  EXPECT_THAT(refusal(document), HasSubstr("FILE: model.vocab['c']: the id 1 is that of 'b' as well"));
  document = plain();
  for (const char* content : {"[X]", "[Y]"})
    document["added_tokens"].push_back({{"id", 9},
                                        {"content", content},
                                        {"single_word", false},
                                        {"lstrip", false},
                                        {"rstrip", false},
                                        {"normalized", false},
                                        {"special", true}});
  EXPECT_THAT(refusal(document),
              HasSubstr("FILE: added_tokens[1]: the id 9 of '[Y]' is that of '[X]' as well"));
}

TEST(Hostile, IdsThatAreNone) {
  json document = plain();
  document["model"]["vocab"]["c"] = -1;
  EXPECT_THAT(refusal(document),
              HasSubstr("model.vocab['c']: got -1, expected a whole number, 0 to 16777215"));
  document["model"]["vocab"]["c"] = 4000000000;
  EXPECT_THAT(refusal(document), HasSubstr("got 4000000000"));
  document["model"]["vocab"]["c"] = "two";
  EXPECT_THAT(refusal(document), HasSubstr("got 'two'"));
}

TEST(Hostile, UnknownComponentsAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"normalizer", "the normalizer 'Precompiled' is not supported"},
      {"pre_tokenizer", "the pre-tokenizer 'Precompiled'"},
      {"post_processor", "the post-processor 'Precompiled'"},
      {"decoder", "the decoder 'Precompiled'"}};
  for (const auto& [part, message] : cases) {
    json document = plain();
    document[part] = {{"type", "Precompiled"}};
    EXPECT_THAT(refusal(document), HasSubstr(std::string("FILE: ") + part + ": " + message));
  }
  json document = plain();
  document["model"]["type"] = "Wordpiece";
  EXPECT_THAT(refusal(document),
              HasSubstr("the model 'Wordpiece' is not supported; did you mean 'WordPiece'?"));
  document = plain();
  document["model"]["dropout"] = 0.1;
  EXPECT_THAT(refusal(document), HasSubstr("model.dropout: dropout makes tokens random"));
}

json sequence(const json& inner) {
  return {{"type", "Sequence"}, {"normalizers", {inner}}};
}

TEST(Hostile, DeepNesting) {
  json document = plain();
  json inner = {{"type", "NFC"}};
  for (int i = 0; i < 40; ++i) inner = sequence(inner);
  document["normalizer"] = inner;
  EXPECT_THAT(refusal(document), HasSubstr("nested more than 16 deep"));
}

json split_at(const std::string& pattern) {
  json document = plain();
  document["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return document;
}

TEST(Hostile, PatternsThatExplode) {
  const auto start = std::chrono::steady_clock::now();
  const Tokenizer tokenizer = Tokenizer::from_json(split_at("(a+)+$").dump(), "FILE");
  EXPECT_THAT(
      error_of(ExitCode::bad_data, [&] { tokenizer.encode(std::string(64, 'a') + "b"); }),
      HasSubstr("FILE: pre_tokenizer.pattern.Regex: the pattern cannot be matched: match limit exceeded"));
  const Tokenizer deep = Tokenizer::from_json(split_at("(a|a)*b|c").dump(), "FILE");
  EXPECT_THROW(deep.encode(std::string(200'000, 'a')), Error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Hostile, PatternsThatAreNone) {
  EXPECT_THAT(refusal(split_at("(a")), HasSubstr("the pattern '(a' is refused: missing closing parenthesis"));
  EXPECT_THAT(refusal(split_at("\\p{Nonsense}")), HasSubstr("unknown property"));
  EXPECT_THAT(refusal(split_at("[[:alpha:]]")), HasSubstr("a POSIX class, which is not supported"));
  EXPECT_THAT(refusal(split_at(std::string(70'000, 'a'))), HasSubstr("got a pattern of 70000 bytes"));
}

TEST(Hostile, AddedTokensThatAreEverywhere) {
  json document = plain();
  document["normalizer"] = {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
  json token = {{"id", 9},         {"content", "  "},    {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", true}, {"special", false}};
  document["added_tokens"] = {token};
  EXPECT_THAT(refusal(document), HasSubstr("the token '  ' is empty once normalised"));
  token["content"] = std::string(5000, 'x');
  document["added_tokens"] = {token};
  EXPECT_THAT(refusal(document), HasSubstr("got a token of 5000 bytes, expected at most 4096"));
}

TEST(Hostile, TemplatesThatDoNotFit) {
  json document = plain();
  document["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single", json::array({{{"Sequence", {{"id", "B"}, {"type_id", 0}}}}})},
                                {"pair", json::array()},
                                {"special_tokens", json::object()}};
  EXPECT_THAT(refusal(document), HasSubstr("post_processor.single[0]: there is no second text here"));
  document["post_processor"]["single"] = json::array({{{"SpecialToken", {{"id", "[X]"}, {"type_id", 0}}}}});
  EXPECT_THAT(refusal(document), HasSubstr("post_processor.special_tokens: '[X]' is missing"));
}

TEST(Hostile, UnknownTokensThatAreMissing) {
  json document = plain();
  document["model"]["vocab"].erase("<unk>");
  const Tokenizer bpe = Tokenizer::from_json(document.dump(), "FILE");
  EXPECT_EQ(bpe.encode("ab").ids, std::vector<std::int64_t>{2});
  EXPECT_THAT(
      error_of(ExitCode::bad_data, [&] { bpe.encode("xyz"); }),
      HasSubstr(
          "FILE: model: the unknown token '<unk>' is not in the vocabulary, and the character 'x' needs it"));
  document["model"] = {{"type", "Unigram"},
                       {"unk_id", nullptr},
                       {"vocab", json::array({json::array({"a", -1.0}), json::array({"b", -2.0})})}};
  const Tokenizer unigram = Tokenizer::from_json(document.dump(), "FILE");
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { unigram.encode("abc"); }),
              HasSubstr("'c' is not in the vocabulary"));
  document["model"]["unk_id"] = 7;
  EXPECT_THAT(refusal(document), HasSubstr("model.unk_id: got 7, expected an id below the 2"));
}

// The bytes of an end mark are more than the word has.
TEST(Hostile, AffixesSpelledInBytes) {
  json document = plain();
  document["model"]["byte_fallback"] = true;
  document["model"]["end_of_word_suffix"] = "</w>";
  for (int b = 0; b < 256; ++b) document["model"]["vocab"][fmt::format("<0x{:02X}>", b)] = 4 + b;
  const Encoding encoding = Tokenizer::from_json(document.dump(), "FILE").encode("ax");
  EXPECT_EQ(encoding.size(), 1u + 5u);
  EXPECT_EQ(encoding.offsets.back(), (std::pair<std::int64_t, std::int64_t>{1, 2}));
}

// A word of a megabyte: the work is n log n, not n squared.
TEST(Hostile, OneHugeWord) {
  json document = plain();
  document["model"]["vocab"] = {{"a", 0}, {"aa", 1}, {"aaaa", 2}, {"aaaaaaaa", 3}, {"<unk>", 4}};
  document["model"]["merges"] = json::array({"a a", "aa aa", "aaaa aaaa"});
  const Tokenizer tokenizer = Tokenizer::from_json(document.dump(), "FILE");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(tokenizer.encode(std::string(1 << 20, 'a')).size(), std::size_t{1} << 17);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace mgd
