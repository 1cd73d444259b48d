#include "mgd/report/attention_maps.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mgd/model/text_model.h"

namespace mgd {
namespace {

TEST(AttentionMaps, AMaskIsDrawnAsTheFormulaSays) {
  const ReportAttention drawing = drawn_mask("causal", "note", {"a", "b", "c"}, {.causal = true});
  EXPECT_EQ(drawing.rows, (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_EQ(drawing.maps.size(), 1U);
  const auto& values = drawing.maps[0].values;
  ASSERT_EQ(values.size(), 9U);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      if (j <= i)
        EXPECT_EQ(values[3 * i + j], 1);
      else
        EXPECT_TRUE(std::isnan(values[3 * i + j]));
    }
}

// Characters are tokens: a vocabulary without a file.
Tokenizer letters() {
  return Tokenizer::from_json(
      R"({"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2},"merges":[]}})",
      "letters");
}

TEST(AttentionMaps, EveryHeadOfEveryLayerOfTheFirstSequence) {
  TextConfig config =
      text_config("gpt2", {.vocab_size = 3, .hidden_size = 8, .layers = 2, .heads = 2}, TextHead::causal_lm);
  const auto model = make_text_model(config, 1);
  Batch batch;
  batch.tokens = {.ids = at::tensor(std::vector<std::int64_t>{0, 1, 2, 1, 0}),
                  .positions = at::tensor(std::vector<std::int64_t>{0, 1, 2, 0, 1}),
                  .type_ids = {},
                  .offsets = {0, 3, 5}};
  batch.sample_ids = {0, 1};
  const auto layers = attention_of(*model, letters(), batch);
  ASSERT_EQ(layers.size(), 2U);
  for (const ReportAttention& layer : layers) {
    EXPECT_TRUE(layer.title.ends_with(".probs")) << layer.title;
    EXPECT_EQ(layer.rows, (std::vector<std::string>{"a", "b", "c"}));
    ASSERT_EQ(layer.maps.size(), 2U);
    EXPECT_EQ(layer.maps[1].title, "head 2");
    for (const ReportMap& map : layer.maps)
      for (std::size_t i = 0; i < 3; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < 3; ++j) {
          const float value = map.values[3 * i + j];
          EXPECT_EQ(std::isnan(value), j > i);
          if (j <= i) sum += value;
        }
        EXPECT_NEAR(sum, 1, 1e-5);
      }
  }
  EXPECT_EQ(attention_of(*model, letters(), batch, 2).at(0).maps.at(0).values.size(), 4U);
}

}  // namespace
}  // namespace mgd
