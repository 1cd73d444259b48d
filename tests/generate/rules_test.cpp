// Generation settings of a folder against transformers' generate():
// scripts/fixtures/make_generation_rules.py.
#include "mgd/generate/rules.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "support.h"

namespace mgd {
namespace {

using testing::HasSubstr;

const nlohmann::json& cases() {
  static const nlohmann::json all = nlohmann::json::parse(
      read_file(std::string(MGD_SOURCE_DIR "/tests/generate/fixtures") + "/rules.json"));
  return all;
}

// What `mgd generate` makes of the settings where no flag is given.
GenerateOptions options_of(const GenerationSettings& settings) {
  GenerateOptions options{.num_beams = settings.num_beams,
                          .length_penalty = settings.length_penalty,
                          .early_stopping = settings.early_stopping,
                          .rules = settings.rules};
  options.sampling.repetition_penalty = settings.repetition_penalty;
  if (settings.max_new_tokens > 0)
    options.max_new_tokens = settings.max_new_tokens;
  else
    options.max_length = settings.max_length;
  return options;
}

class Rules : public testing::TestWithParam<std::string> {};

TEST_P(Rules, OfAFolderAreThoseOfTransformers) {
  const TinyModel model = tiny(GetParam());
  for (const auto& row : cases().at(GetParam())) {
    const auto tokens = row.at("tokens").get<std::vector<TokenIds>>();
    std::vector<Prompt> prompts = prompts_of(GetParam());
    prompts.resize(tokens.size());
    const GenerationSettings settings = parse_generation_settings(row.at("settings").dump(), "settings");
    EXPECT_TRUE(settings.left_out.empty());
    for (const bool cache : {true, false}) {
      GenerateOptions options = options_of(settings);
      options.cache = cache;
      EXPECT_EQ(tokens_of(generate(*model.model, prompts, options)), tokens)
          << row.at("case") << ", cache " << cache;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Rules, testing::Values("gpt2", "bart"),
                         [](const auto& test) { return test.param; });

TEST(RulesOfRows, LeaveOthersAlone) {
  const GenerationRules none{.ends = {3}}, two{.ends = {3}, .suppressed = {0}};
  const TokenIds sequence = {1, 2};
  const Course plain{.start = {1}, .limit = 5, .rules = &none},
      ruled{.start = {1}, .limit = 5, .rules = &two};
  const RuledRow rows[] = {{&sequence, &plain}, {&sequence, &ruled}};
  const at::Tensor scores = at::zeros({2, 4});
  const at::Tensor out = apply_rules(scores, rows);
  EXPECT_TRUE(out[0].equal(scores[0]));
  EXPECT_TRUE(std::isinf(out[1][0].item<float>()));
  EXPECT_EQ(out[1][1].item<float>(), 0);
  EXPECT_EQ(scores[1][0].item<float>(), 0) << "what was given stays";
}

TEST(GenerateSettings, TokensBeyondTheVocabularyAreRefused) {
  const TinyModel gpt2 = tiny("gpt2");
  const std::vector<Prompt> prompts = {{.ids = {5, 6}}};
  for (const auto& [rules, name] : {std::pair{GenerationRules{.ends = {999}}, "eos_token_id"},
                                    {GenerationRules{.forced_begin = 999}, "forced_bos_token_id"},
                                    {GenerationRules{.bad_words = {{1, 999}}}, "bad_words_ids"}}) {
    const GenerateOptions options{.rules = rules};
    EXPECT_THAT(error_of(ExitCode::usage, [&] { generate(*gpt2.model, prompts, options); }),
                testing::AllOf(HasSubstr(name), HasSubstr("got the token 999, but the model knows 257")));
  }
  const GenerateOptions short_one{.max_length = 2};
  EXPECT_THAT(error_of(ExitCode::usage, [&] { generate(*gpt2.model, prompts, short_one); }),
              HasSubstr("max_length: got 2, but prompt 0 has 2 tokens already"));
}

// A file that rules out everything must not give token 0.
TEST(GenerateSettings, NothingLeftToChooseIsAnError) {
  const TinyModel gpt2 = tiny("gpt2");
  const std::vector<Prompt> prompts = {{.ids = {5, 6}}};
  GenerationRules rules;
  for (std::int64_t id = 0; id < 257; ++id) rules.suppressed.push_back(id);
  for (const std::int64_t beams : {1, 2}) {
    const GenerateOptions options{.num_beams = beams, .rules = rules};
    EXPECT_THAT(error_of(ExitCode::bad_data, [&] { generate(*gpt2.model, prompts, options); }),
                HasSubstr("every token is ruled out"));
  }
}

}  // namespace
}  // namespace mgd
