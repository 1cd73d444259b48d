// The vocabulary of a static model, of each kind of tokenizer.
#include "mgd/text/pruned_vocabulary.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "expect_error.h"

namespace mgd {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json added(std::int64_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

Tokenizer tokenizer_of(const json& model, const json& tokens, const json& pre_tokenizer) {
  const json document = {{"version", "1.0"},
                         {"added_tokens", tokens},
                         {"normalizer", nullptr},
                         {"pre_tokenizer", pre_tokenizer},
                         {"post_processor", nullptr},
                         {"decoder", nullptr},
                         {"padding",
                          {{"strategy", {{"Fixed", 9}}},
                           {"direction", "Right"},
                           {"pad_to_multiple_of", nullptr},
                           {"pad_id", 0},
                           {"pad_type_id", 0},
                           {"pad_token", "<pad>"}}},
                         {"truncation", nullptr},
                         {"model", model}};
  return Tokenizer::from_json(document.dump(), "test");
}

std::vector<std::string> tokens_of(const PrunedVocabulary& pruned, const std::string& text) {
  return Tokenizer::from_json(pruned.tokenizer, "pruned").encode(text, {.pieces = true}).pieces;
}

TEST(PrunedVocabulary, BytePairsLoseTheMergesOfWhatIsGone) {
  const json model = {{"type", "BPE"},
                      {"unk_token", nullptr},
                      {"vocab",
                       {{"<pad>", 0},
                        {"<s>", 1},
                        {"Ġ", 2},
                        {"a", 3},
                        {"b", 4},
                        {"[unused1]", 5},
                        {"ab", 6},
                        {"Ġa", 7},
                        {"[unused1]a", 8}}},
                      {"merges", json::array({"a b", json::array({"Ġ", "a"}), "[unused1] a"})}};
  const json stage = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const Tokenizer whole = tokenizer_of(model, json::array({added(0, "<pad>"), added(1, "<s>")}), stage);
  const PrunedVocabulary pruned = prune_vocabulary(whole, 16);
  EXPECT_THAT(pruned.ids, ElementsAre(0, 2, 3, 4, 6, 7));
  EXPECT_EQ(pruned.num_placeholders, 2);
  EXPECT_EQ(pruned.num_added, 1);
  EXPECT_TRUE(pruned.opens_with_space);
  EXPECT_THAT(tokens_of(pruned, "ab"), ElementsAre("Ġ", "ab"));
  EXPECT_EQ(json::parse(pruned.tokenizer)["model"]["merges"].size(), 2);
  EXPECT_EQ(json::parse(pruned.tokenizer)["truncation"]["max_length"], 16);
  EXPECT_THAT(tokens_of(whole_vocabulary(whole, 16), "ab"), ElementsAre("ab"));
}

TEST(PrunedVocabulary, PiecesOfAUnigramModelKeepTheirScores) {
  const json model = {{"type", "Unigram"},
                      {"unk_id", 2},
                      {"vocab", json::array({json::array({"<s>", 0.0}), json::array({"<pad>", 0.0}),
                                             json::array({"<unk>", 0.0}), json::array({"[unused7]x", -1.0}),
                                             json::array({"ab", -2.5}), json::array({"a", -3.25})})}};
  const PrunedVocabulary pruned = prune_vocabulary(
      tokenizer_of(model, json::array({added(0, "<s>"), added(1, "<pad>"), added(2, "<unk>")}), nullptr), 16);
  EXPECT_THAT(pruned.ids, ElementsAre(1, 2, 4, 5));
  const json kept = json::parse(pruned.tokenizer);
  EXPECT_EQ(kept["model"]["unk_id"], 1);
  EXPECT_EQ(kept["model"]["vocab"],
            json::parse(R"([["<pad>", 0.0], ["<unk>", 0.0], ["ab", -2.5], ["a", -3.25]])"));
  EXPECT_EQ(Tokenizer::from_json(pruned.tokenizer, "pruned").unknown_id(), 1);
  EXPECT_THAT(tokens_of(pruned, "aab"), ElementsAre("a", "ab"));
}

TEST(PrunedVocabulary, WordsOfAListKeepTheirOrder) {
  const json model = {{"type", "WordLevel"},
                      {"unk_token", "[UNK]"},
                      {"vocab", {{"[unused0]", 0}, {"[unused]", 1}, {"cat", 5}, {"[UNK]", 3}, {"dog", 4}}}};
  const PrunedVocabulary pruned =
      prune_vocabulary(tokenizer_of(model, json::array({added(3, "[UNK]")}), {{"type", "Whitespace"}}), 16);
  EXPECT_THAT(pruned.ids, ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(tokens_of(pruned, "dog cat bird"), ElementsAre("dog", "cat", "[UNK]"));
}

TEST(PrunedVocabulary, NothingLeftIsAnError) {
  const json model = {{"type", "BPE"},
                      {"unk_token", nullptr},
                      {"vocab", {{"<s>", 0}, {"[unused1]", 1}}},
                      {"merges", json::array()}};
  EXPECT_THAT(
      error_of(ExitCode::bad_data,
               [&] { prune_vocabulary(tokenizer_of(model, json::array({added(0, "<s>")}), nullptr), 16); }),
      HasSubstr("all of its 2 tokens"));
}

}  // namespace
}  // namespace mgd
