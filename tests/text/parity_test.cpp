// The judge is the `tokenizers` package.
#include <gtest/gtest.h>

#include "fixture.h"
#include "mgd/core/error.h"
#include "mgd/text/tokenizer.h"

namespace mgd {
namespace {

using nlohmann::json;

std::vector<std::int64_t> flat(const std::vector<std::pair<std::int64_t, std::int64_t>>& offsets) {
  std::vector<std::int64_t> out;
  for (const auto& [begin, end] : offsets) out.insert(out.end(), {begin, end});
  return out;
}

void expect_equal(const Tokenizer& tokenizer, const Encoding& ours, const json& theirs,
                  const std::string& what) {
  ASSERT_EQ(ours.ids, theirs.at("ids").get<std::vector<std::int64_t>>()) << what;
  EXPECT_EQ(ours.pieces, theirs.at("tokens").get<std::vector<std::string>>()) << what;
  EXPECT_EQ(flat(ours.offsets), theirs.at("offsets").get<std::vector<std::int64_t>>()) << what;
  EXPECT_EQ(ours.word_ids, theirs.at("words").get<std::vector<std::int64_t>>()) << what;
  EXPECT_EQ(ours.type_ids, theirs.at("types").get<std::vector<std::int64_t>>()) << what;
  EXPECT_EQ(ours.special, theirs.at("special").get<std::vector<std::uint8_t>>()) << what;
  EXPECT_EQ(tokenizer.decode(ours.ids), theirs.at("decoded").at(0).get<std::string>()) << what;
  EXPECT_EQ(tokenizer.decode(ours.ids, false), theirs.at("decoded").at(1).get<std::string>()) << what;
}

class Parity : public testing::TestWithParam<std::string> {
 protected:
  const json& entry = tokenizer_fixture().at("pipelines").at(GetParam());
  const std::vector<std::string> texts = tokenizer_fixture().at("texts").get<std::vector<std::string>>();
  const Tokenizer tokenizer = Tokenizer::from_json(fixture_json(GetParam()), GetParam());
};

TEST_P(Parity, OfTexts) {
  for (std::size_t i = 0; i < texts.size(); ++i)
    expect_equal(tokenizer, tokenizer.encode(texts[i], {.pieces = true}), entry.at("rows").at(i), texts[i]);
  for (std::size_t i = 0; i < entry.at("plain_ids").size(); ++i)
    EXPECT_EQ(tokenizer.encode(texts[i], {.add_special = false}).ids,
              entry.at("plain_ids").at(i).get<std::vector<std::int64_t>>());
}

TEST_P(Parity, OfPairs) {
  for (std::size_t i = 0; i < entry.at("pairs").size(); ++i)
    expect_equal(tokenizer, tokenizer.encode_pair(texts[i], texts[i + 30], {.pieces = true}),
                 entry.at("pairs").at(i), texts[i] + " | " + texts[i + 30]);
}

TEST_P(Parity, OfGrowingTexts) {
  for (std::size_t i = 0; i < entry.at("streams").size(); ++i) {
    const auto text = entry.at("stream_texts").at(i).get<std::string>();
    const Encoding encoding = tokenizer.encode(text);
    DecodeStream stream(tokenizer);
    std::vector<std::string> pieces;
    for (const std::int64_t id : encoding.ids) pieces.push_back(stream.push(id));
    EXPECT_EQ(pieces, entry.at("streams").at(i).get<std::vector<std::string>>()) << text;
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    EXPECT_EQ(all + stream.finish(), tokenizer.decode(encoding.ids)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Pipelines, Parity,
                         testing::Values("bert_uncased", "bert_cased", "gpt2", "roberta", "roberta_prefix",
                                         "modernbert", "unigram", "llama", "llama3", "words", "word_level"),
                         [](const auto& info) { return info.param; });

// Where the package cannot keep a limit and panics, there is no result to compare.
void expect_limits(const std::string& pipeline, int& kept, int& refused) {
  std::vector<std::string> used;
  for (const json& text : tokenizer_fixture().at("texts"))
    if (!text.get<std::string>().empty() && used.size() < 12) used.push_back(text);
  for (const json& limits : tokenizer_fixture().at("pipelines").at(pipeline).at("limited")) {
    json document = json::parse(fixture_json(pipeline));
    document["truncation"] = limits.at("truncation");
    document["padding"] = limits.at("padding");
    const Tokenizer limited = Tokenizer::from_json(document.dump(), pipeline);
    for (std::size_t i = 0; i < limits.at("pairs").size(); ++i) {
      const json& theirs = limits.at("pairs").at(i);
      if (theirs.is_null()) {
        EXPECT_THROW(limited.encode_pair(used[i], used[i + 1]), Error) << used[i];
        ++refused;
        continue;
      }
      expect_equal(limited, limited.encode_pair(used[i], used[i + 1], {.pieces = true}), theirs, used[i]);
      ++kept;
    }
  }
}

TEST(ParityFixture, TruncationAndPaddingOfEveryKind) {
  int kept = 0, refused = 0;
  expect_limits("bert_cased", kept, refused);
  expect_limits("roberta", kept, refused);
  EXPECT_GT(kept, 40);
  EXPECT_GT(refused, 5);
}

TEST(ParityFixture, StagesDrawnAtRandom) {
  const auto texts = tokenizer_fixture().at("texts").get<std::vector<std::string>>();
  std::size_t compared = 0;
  for (const json& mixture : tokenizer_fixture().at("mixtures")) {
    const std::string text = mixture.at("tokenizer").get<std::string>();
    const Tokenizer tokenizer = Tokenizer::from_json(text, "mixture");
    json stages = json::parse(text);
    stages.erase("model");
    for (std::size_t i = 0; i < mixture.at("rows").size(); ++i) {
      if (mixture.at("rows").at(i).is_null()) continue;  // the package panics
      expect_equal(tokenizer, tokenizer.encode(texts[i], {.pieces = true}), mixture.at("rows").at(i),
                   stages.dump() + ": " + texts[i]);
      ++compared;
    }
  }
  EXPECT_GT(compared, 500u);
}

TEST(ParityFixture, HasEveryPipelineAndManyTexts) {
  EXPECT_EQ(tokenizer_fixture().at("pipelines").size(), 11u);
  EXPECT_GE(tokenizer_fixture().at("texts").size(), 190u);
}

}  // namespace
}  // namespace mgd
