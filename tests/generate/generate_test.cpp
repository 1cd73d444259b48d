// Tokens against transformers' generate(): scripts/fixtures/make_generation.py.
#include "mgd/generate/generate.h"

#include "support.h"

namespace mgd {
namespace {

using testing::HasSubstr;

class Generators : public testing::TestWithParam<std::string> {
 protected:
  std::vector<TokenIds> run(std::span<const Prompt> prompts, GenerateOptions options) {
    options.max_new_tokens = 12;
    return tokens_of(generate(*tiny_.model, prompts, options));
  }

  // As one batch and one by one, with a cache and without: always the same tokens.
  void expect_always(const std::vector<TokenIds>& tokens, GenerateOptions options) {
    for (const bool cache : {true, false}) {
      options.cache = cache;
      EXPECT_EQ(run(prompts_, options), tokens) << "batch, cache " << cache;
      for (std::size_t i = 0; i < prompts_.size(); i += 7)
        EXPECT_EQ(run({&prompts_[i], 1}, options).front(), tokens[i])
            << "prompt " << i << ", cache " << cache;
    }
  }

  void expect_transformers(const std::string& setting, const GenerateOptions& options) {
    std::vector<TokenIds> tokens;
    for (const auto& row : expected().at(GetParam())) tokens.push_back(row.at(setting).get<TokenIds>());
    expect_always(tokens, options);
  }

  TinyModel tiny_ = tiny(GetParam());
  std::vector<Prompt> prompts_ = prompts_of(GetParam());
};

TEST_P(Generators, GreedyIsThatOfTransformers) {
  expect_transformers("greedy", {});
  expect_transformers("penalty", {.sampling = {.repetition_penalty = 1.3}});
}

TEST_P(Generators, BeamSearchIsThatOfTransformers) {
  expect_transformers("beam", {.num_beams = 3});
  expect_transformers("beam_long", {.num_beams = 4, .length_penalty = 2});
  expect_transformers("beam_short",
                      {.sampling = {.repetition_penalty = 1.2}, .num_beams = 2, .length_penalty = -1});
}

TEST_P(Generators, WhatIsDrawnDependsOnSeedAndSampleAlone) {
  const GenerateOptions options{
      .sampling = {.temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.001, .seed = 3}};
  const std::vector<TokenIds> tokens = run(prompts_, options);
  expect_always(tokens, options);
  GenerateOptions other = options;
  other.sampling.seed = 4;
  EXPECT_NE(run(prompts_, other), tokens);
  std::vector<Prompt> same(8, prompts_.front());
  for (std::size_t i = 0; i < same.size(); ++i) same[i].sample = i;
  const auto several = run(same, options);
  EXPECT_THAT(several, testing::Contains(testing::Ne(several.front())));
}

TEST_P(Generators, TokensComeOneByOneAndEndWhereAskedTo) {
  std::vector<TokenIds> seen(prompts_.size());
  const GenerateHooks hooks{
      .on_token = [&](std::size_t prompt, std::int64_t token) { seen[prompt].push_back(token); },
      .stops = [](std::span<const std::int64_t> tokens) { return tokens.size() == 3; }};
  const auto results = generate(*tiny_.model, prompts_, {.max_new_tokens = 12}, hooks);
  EXPECT_EQ(seen, tokens_of(results));
  for (const Generated& result : results) {
    EXPECT_LE(result.tokens.size(), 3U);
    const bool ended = result.tokens.back() == tiny_.model->config().eos_id;
    EXPECT_EQ(result.ending, ended ? Ending::end_token : Ending::stop);
  }
}

TEST_P(Generators, EndsWithTheTableOfPositions) {
  const std::int64_t most = tiny_.model->max_tokens();
  const auto results = generate(*tiny_.model, prompts_, {.max_new_tokens = 1000});
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::size_t start = GetParam() == "bart" ? 1 : prompts_[i].ids.size();
    EXPECT_LE(static_cast<std::int64_t>(start + results[i].tokens.size()), most);
    if (results[i].ending == Ending::length) {
      EXPECT_EQ(static_cast<std::int64_t>(start + results[i].tokens.size()), most);
    }
  }
}

TEST_P(Generators, RefuseWhatCannotBe) {
  const auto message = [&](const Prompt& prompt, const GenerateOptions& options) {
    return error_of(ExitCode::usage, [&] { generate(*tiny_.model, {&prompt, 1}, options); });
  };
  EXPECT_THAT(message({.ids = {}, .sample = 4}, {}), HasSubstr("prompt 4: it is empty"));
  EXPECT_THAT(message({.ids = TokenIds(65, 7)}, {}),
              HasSubstr("got 65 tokens, but " + GetParam() + " takes at most 64"));
  EXPECT_THAT(message({.ids = {7}}, {.sampling = {.top_k = 5}}), HasSubstr("temperature 0 draws nothing"));
  EXPECT_THAT(message({.ids = {7}}, {.sampling = {.temperature = 1}, .num_beams = 2}),
              HasSubstr("num_beams: got 2 with temperature 1"));
}

INSTANTIATE_TEST_SUITE_P(, Generators, testing::Values("gpt2", "bart"));

TEST(Generate, RefusesOtherModels) {
  const TinyModel bert = tiny("bert");
  const Prompt prompt{.ids = {5}};
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         generate(*bert.model, {&prompt, 1}, {});
                       }),
              HasSubstr("bert with a head for masked_lm does not generate text"));
}

}  // namespace
}  // namespace mgd
