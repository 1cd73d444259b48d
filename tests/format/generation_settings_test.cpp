#include "mgd/format/generation_settings.h"

#include <gmock/gmock.h>

#include "expect_error.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& json) {
  return error_of(ExitCode::bad_data, [&] { parse_generation_settings(json, "g.json"); });
}

TEST(GenerationSettings, WhatIsNotSaidIsTheDefault) {
  const GenerationSettings none = parse_generation_settings("{}", "g.json");
  EXPECT_FALSE(none.sample);
  EXPECT_EQ(none.num_beams, 1);
  EXPECT_EQ(none.top_k, -1);
  EXPECT_TRUE(none.stated.empty());
  EXPECT_TRUE(none.left_out.empty());
  EXPECT_TRUE(none.rules.ends.empty());
}

TEST(GenerationSettings, WhatIsSaidIsReadAndListed) {
  const GenerationSettings settings = parse_generation_settings(
      R"({"eos_token_id": [2, 5], "forced_eos_token_id": 2, "num_beams": 4, "early_stopping": "never", "top_k": 7,
          "temperature": null, "bad_words_ids": [[1], [2, 3]], "max_length": 30, "transformers_version": "4"})",
      "g.json");
  EXPECT_THAT(settings.rules.ends, ElementsAre(2, 5));
  EXPECT_THAT(settings.rules.forced_ends, ElementsAre(2));
  EXPECT_THAT(settings.rules.bad_words, ElementsAre(ElementsAre(1), ElementsAre(2, 3)));
  EXPECT_EQ(settings.early_stopping, "never");
  EXPECT_EQ(settings.max_length, 30);
  EXPECT_THAT(settings.stated, testing::Contains("num_beams 4"));
  EXPECT_THAT(settings.stated, testing::Not(testing::Contains(HasSubstr("temperature"))));
}

// Never in silence: what would change the text and is not supported is listed; neutral values are not.
TEST(GenerationSettings, WhatIsNotSupportedIsNamed) {
  const GenerationSettings settings = parse_generation_settings(
      R"({"typical_p": 0.9, "num_beam_groups": 2, "diversity_penalty": 0.0, "encoder_no_repeat_ngram_size": 0,
          "stop_strings": ["x"], "guidance_scale": null, "renormalize_logits": false})",
      "g.json");
  EXPECT_THAT(settings.left_out,
              testing::UnorderedElementsAre("typical_p 0.9", "num_beam_groups 2", "stop_strings [\"x\"]"));
}

TEST(GenerationSettings, ValuesThatMakeNoSenseAreRefused) {
  EXPECT_THAT(refusal(R"({"top_p": 1.5})"), AllOf(HasSubstr("g.json: top_p"), HasSubstr("0 ... 1")));
  EXPECT_THAT(refusal(R"({"num_beams": 0})"), HasSubstr("num_beams"));
  EXPECT_THAT(refusal(R"({"length_penalty": 1e300})"),
              HasSubstr("length_penalty: got 1e+300, expected -10 ... 10"));
  EXPECT_THAT(refusal(R"({"repetition_penalty": 0})"), HasSubstr("repetition_penalty"));
  EXPECT_THAT(refusal(R"({"bad_words_ids": [1]})"), HasSubstr("expected a list of lists"));
  EXPECT_THAT(refusal(R"({"eos_token_id": "2"})"), HasSubstr("eos_token_id"));
}

TEST(GenerationSettings, ThoseOfAConfigWithDefaultsOfItsArchitecture) {
  const auto of = [](const std::string& config) {
    return parse_generation_settings(generation_settings_of_config(config, "config.json"), "config.json");
  };
  const GenerationSettings bart =
      of(R"({"model_type": "bart", "min_length": 5, "typical_p": 0.5, "d_model": 8})");
  EXPECT_EQ(bart.rules.min_length, 5);
  EXPECT_THAT(bart.rules.forced_ends, ElementsAre(2));
  EXPECT_THAT(bart.left_out, ElementsAre("typical_p 0.5"));
  EXPECT_TRUE(of(R"({"model_type": "bart", "forced_eos_token_id": null})").rules.forced_ends.empty());
  EXPECT_THAT(of(R"({"model_type": "gpt2"})").rules.ends, ElementsAre(50256));
}

}  // namespace
}  // namespace mgd
