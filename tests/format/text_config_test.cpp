#include "mgd/format/text_config.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "expect_error.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& json) {
  return error_of(ExitCode::bad_data, [&] { parse_text_config(json, "config.json"); });
}

TEST(TextConfig, WhatIsNotWrittenIsTheDefaultOfItsClass) {
  const TextConfig bert = parse_text_config(R"({"model_type": "bert"})", "config.json");
  EXPECT_EQ(bert.hidden_size, 768);
  EXPECT_EQ(bert.norm_eps, 1e-12);
  EXPECT_EQ(bert.head, TextHead::encoder);
  const TextConfig gpt2 = parse_text_config(
      R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 96, "n_inner": null})",
      "config.json");
  EXPECT_EQ(gpt2.hidden_size, 96);
  EXPECT_EQ(gpt2.intermediate_size, 384);
  EXPECT_EQ(gpt2.activation, "gelu_new");
  EXPECT_EQ(gpt2.head, TextHead::causal_lm);
  EXPECT_EQ(gpt2.pad_id, -1);
}

TEST(TextConfig, EveryArchitectureComesBackFromItsJson) {
  for (const std::string& type : known_text_models()) {
    TextConfig config =
        text_config(type, {.hidden_size = 128, .layers = 5, .dropout = 0.25}, TextHead::encoder);
    config.classifier_dropout = 0.125;
    config.num_labels = 3;
    config.label_names = {"a", "b", "\xC3\xA9"};
    const TextConfig again = parse_text_config(text_config_json(config), type);
    EXPECT_EQ(text_config_json(again), text_config_json(config));
    EXPECT_EQ(again.layers, 5) << type;
    EXPECT_EQ(again.heads, 2) << type;
    EXPECT_EQ(again.attention_dropout, 0.25) << type;
    EXPECT_EQ(again.classifier_dropout, 0.125) << type;
    EXPECT_EQ(again.global_layer, config.global_layer) << type;
    EXPECT_THAT(again.label_names, ElementsAre("a", "b", "\xC3\xA9")) << type;
  }
}

TEST(TextConfig, ReadsModernBertsKeysOldAndNew) {
  const std::string common = R"("model_type": "modernbert", "hidden_size": 16, "num_attention_heads": 2,
                                "num_hidden_layers": 4, "local_attention": 8)";
  const TextConfig old = parse_text_config(
      "{" + common +
          R"(, "global_attn_every_n_layers": 2, "global_rope_theta": 5000.0, "local_rope_theta": null})",
      "a");
  EXPECT_THAT(old.global_layer, ElementsAre(true, false, true, false));
  EXPECT_EQ(old.local_window, 4);
  EXPECT_EQ(old.global_rope_theta, 5000);
  EXPECT_EQ(old.local_rope_theta, 5000) << "null: as the global one";
  const TextConfig now = parse_text_config(
      "{" + common +
          R"(, "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 7000.0},
                            "sliding_attention": {"rope_type": "default", "rope_theta": 70.0}}})",
      "a");
  EXPECT_THAT(now.global_layer, ElementsAre(true, false, false, true));
  EXPECT_EQ(now.global_rope_theta, 7000);
  EXPECT_EQ(now.local_rope_theta, 70);
}

TEST(TextConfig, RefusalsNameTheKeyAndTheNearestName) {
  EXPECT_THAT(refusal(R"({"architecture": "resnet18"})"), HasSubstr("config.json: model_type: is missing"));
  EXPECT_THAT(refusal(R"({"model_type": "robreta"})"),
              AllOf(HasSubstr("'robreta'"), HasSubstr("did you mean 'roberta'")));
  EXPECT_THAT(refusal(R"({"model_type": "bert", "hidden_act": "gelu_fancy"})"),
              AllOf(HasSubstr("hidden_act"), HasSubstr("gelu_fancy")));
  EXPECT_THAT(refusal(R"({"model_type": "bert", "architectures": ["BertForQuestionAnswering"]})"),
              AllOf(HasSubstr("architectures"), HasSubstr("BertForQuestionAnswering")));
  EXPECT_THAT(refusal(R"({"model_type": "bert", "position_embedding_type": "relative_key"})"),
              AllOf(HasSubstr("position_embedding_type"), HasSubstr("relative_key"), HasSubstr("absolute")));
  EXPECT_THAT(refusal(R"({"model_type": "gpt2", "scale_attn_by_inverse_layer_idx": true})"),
              HasSubstr("scale_attn_by_inverse_layer_idx"));
  EXPECT_THAT(refusal(R"({"model_type": "bert", "num_attention_heads": 7})"),
              HasSubstr("num_attention_heads: got 7, expected a divisor of hidden_size 768"));
  EXPECT_THAT(refusal(R"({"model_type": "bert", "vocab_size": 0})"), HasSubstr("vocab_size"));
  EXPECT_THAT(refusal(R"({"model_type": "bert", "hidden_dropout_prob": 2})"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(refusal(R"({"model_type": "bert", "id2label": {"0": "a", "2": "b"}})"),
              HasSubstr("no label 1 among 2"));
  EXPECT_THAT(refusal(R"({"model_type": "modernbert", "layer_types": ["full_attention"]})"),
              HasSubstr("1 entries for 22 layers"));
  EXPECT_THAT(refusal(R"({"model_type": "bart", "tie_word_embeddings": false})"),
              HasSubstr("tie_word_embeddings"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("config.json"));
}

TEST(TextConfig, SizesOfARecipe) {
  const TextConfig small =
      text_config("bart", {.vocab_size = 100, .hidden_size = 128, .layers = 3}, TextHead::causal_lm);
  EXPECT_EQ(small.heads, 2);
  EXPECT_EQ(small.decoder_heads, 2);
  EXPECT_EQ(small.intermediate_size, 512);
  EXPECT_EQ(small.decoder_layers, 3);
  EXPECT_EQ(text_config("gpt2", {.vocab_size = 100}, TextHead::causal_lm).eos_id, -1)
      << "beyond the vocabulary";
  const auto usage = [](const auto& f) { return error_of(ExitCode::usage, f); };
  EXPECT_THAT(usage([] { text_config("brt", {}, TextHead::encoder); }), HasSubstr("did you mean 'bert'"));
  EXPECT_THAT(usage([] { text_config("bert", {.heads = 5}, TextHead::encoder); }), HasSubstr("heads: got 5"));
  EXPECT_THAT(usage([] { text_config("bert", {}, TextHead::causal_lm); }),
              HasSubstr("no head for causal_lm"));

  TextSizes sizes;
  read_options(parse_yaml("{hidden_size: 256, tie_embeddings: false}", "r"), sizes, "student");
  EXPECT_EQ(sizes.hidden_size, 256);
  EXPECT_FALSE(sizes.tie_embeddings);
}

}  // namespace
}  // namespace mgd
