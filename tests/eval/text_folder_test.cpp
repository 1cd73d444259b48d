// Every architecture against transformers: scripts/fixtures/make_transformers.py.
#include "mgd/eval/text_folder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "expect_error.h"
#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/io/weights.h"
#include "mgd/nn/autocast.h"

namespace mgd {
namespace {

using testing::HasSubstr;

const std::string kFixtures = std::string(MGD_SOURCE_DIR "/tests/eval/fixtures") + "/text/";

std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kLong).contiguous();
  return {values.const_data_ptr<std::int64_t>(), values.const_data_ptr<std::int64_t>() + values.numel()};
}

Batch batch_of(const TensorMap& expected, const std::string& name) {
  const auto get = [&](const std::string& key) {
    const auto it = expected.find(name + "." + key);
    return it == expected.end() ? at::Tensor{} : it->second;
  };
  Batch batch;
  batch.tokens = {.ids = get("ids"),
                  .positions = get("positions"),
                  .type_ids = get("type_ids"),
                  .offsets = numbers(get("offsets"))};
  if (get("decoder_ids").defined())
    batch.decoder_tokens = {.ids = get("decoder_ids"), .offsets = numbers(get("decoder_offsets"))};
  for (std::int64_t s = 0; s < batch.tokens.num_sequences(); ++s) batch.sample_ids.push_back(s);
  return batch;
}

void expect_close(const at::Tensor& got, const at::Tensor& expected, const std::string& what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.sizes(), expected.sizes()) << what;
  const double scale = expected.abs().max().item<double>();
  EXPECT_LE((got - expected).abs().max().item<double>(), 1e-5 * std::max(1.0, scale)) << what;
}

// transformers' key of attention maps of layer i -> the node.
std::string map_node(const TextModel& model, const std::string& key, std::size_t layer) {
  const std::vector<std::string> layers = model.layer_paths();
  const std::string& type = model.architecture();
  if (type == "bart") {
    const bool encoder = key == "encoder_attentions";
    const std::size_t i = encoder ? layer : static_cast<std::size_t>(model.config().layers) + layer;
    return layers.at(i) + (key == "cross_attentions" ? ".encoder_attn.probs" : ".self_attn.probs");
  }
  if (type == "bert" || type == "roberta") return layers.at(layer) + ".attention.self.probs";
  return layers.at(layer) + (type == "distilbert" ? ".attention.probs" : ".attn.probs");
}

struct MapKey {
  std::string key;
  std::size_t layer;
  std::int64_t sequence;
};
MapKey parse_map(const std::string& name) {  // "KEY.LAYER.SEQUENCE"
  const std::size_t a = name.find('.'), b = name.find('.', a + 1);
  return {name.substr(0, a), std::stoul(name.substr(a + 1, b - a - 1)), std::stol(name.substr(b + 1))};
}

class HuggingFace : public testing::TestWithParam<std::string> {
 protected:
  OpenedText opened_ = open_text_folder(kFixtures + GetParam());
  TensorMap expected_ = load_tensors(kFixtures + GetParam() + "/expected.safetensors");

  void check_case(const std::string& name) {
    TextModel& model = *opened_.model;
    const Batch batch = batch_of(expected_, name);
    Forward forward;
    for (const auto& [key, tensor] : expected_) {
      if (key.starts_with(name + ".tap.")) forward.capture(key.substr(name.size() + 5));
      if (key.starts_with(name) && key.find("attentions.") != std::string::npos) {
        const MapKey map = parse_map(key.substr(name.size() + 1));
        forward.capture(map_node(model, map.key, map.layer));
      }
    }
    const at::NoGradGuard no_grad;
    const Record output = model.run(batch, forward);
    if (expected_.contains(name + ".logits"))
      expect_close(output.head.defined() ? logits_of(output.head) : output.logits,
                   expected_.at(name + ".logits"), name + " logits");
    if (expected_.contains(name + ".mean"))
      expect_close(output.embedding, expected_.at(name + ".mean"), name + " mean");
    for (const auto& [key, tensor] : expected_) {
      if (key.starts_with(name + ".tap."))
        expect_close(forward.captured().at(key.substr(name.size() + 5)), tensor, key);
      if (key.starts_with(name) && key.find("attentions.") != std::string::npos)
        check_map(name, key, forward);
    }
  }

  void check_map(const std::string& name, const std::string& key, const Forward& forward) {
    const MapKey map = parse_map(key.substr(name.size() + 1));
    const at::Tensor all = forward.captured().at(map_node(*opened_.model, map.key, map.layer));
    ASSERT_TRUE(all.defined()) << key;
    const at::Tensor& expected = expected_.at(key);
    const at::Tensor got = all[map.sequence];
    expect_close(got.narrow(1, 0, expected.size(1)).narrow(2, 0, expected.size(2)), expected, key);
    EXPECT_NEAR(got.sum().item<double>(), expected.sum().item<double>(), 1e-3) << key << ": 0 beyond the end";
  }
};

TEST_P(HuggingFace, LogitsHiddenStatesAndAttentionMaps) {
  check_case("right");
  if (expected_.contains("left.ids")) check_case("left");
}

TEST_P(HuggingFace, WeightsTravelThereAndBackBitForBit) {
  const TensorMap original = load_tensors(kFixtures + GetParam() + "/model.safetensors");
  const std::string folder = testing::TempDir() + "mgd_text_" + GetParam();
  save_text_model(folder, *opened_.model, {{"tokenizer.json", "{}"}});
  const TensorMap written = load_tensors(folder + "/model.safetensors");
  EXPECT_EQ(written.size(), original.size());
  for (const auto& [name, tensor] : original) {
    ASSERT_TRUE(written.contains(name)) << name;
    EXPECT_TRUE(at::equal(written.at(name), tensor)) << name;
  }
  const OpenedText again = open_text_folder(folder);
  EXPECT_EQ(text_config_json(again.model->config()), text_config_json(opened_.model->config()));
  EXPECT_EQ(again.tokenizer.at("tokenizer.json"), "{}");
  fs::remove_all(folder);
}

// A prompt that is ragged, token by token after it, with greedy choices: what generate() of transformers
// gives.
TEST_P(HuggingFace, DecodingWithACacheGivesTheirTokens) {
  if (!expected_.contains("decode.ids")) return;
  TextModel& model = *opened_.model;
  PackedTokens tokens{.ids = expected_.at("decode.ids"), .offsets = numbers(expected_.at("decode.offsets"))};
  const at::Tensor& expected = expected_.at("decode.new");
  Forward forward;
  const std::int64_t S = tokens.num_sequences();
  const bool seq2seq = model.config().encoder_decoder();
  KvCache cache = seq2seq ? model.new_cache(tokens, forward) : model.new_cache(S);
  std::vector<std::int64_t> one_each(static_cast<std::size_t>(S) + 1);
  for (std::size_t s = 0; s < one_each.size(); ++s) one_each[s] = static_cast<std::int64_t>(s);
  if (seq2seq)
    tokens = {.ids = at::full({S}, model.config().decoder_start_id, at::kLong), .offsets = one_each};
  for (std::int64_t t = 0; t < expected.size(1); ++t) {
    const at::Tensor hidden = model.decode(tokens, cache, forward);
    std::vector<std::int64_t> last;
    for (std::size_t s = 1; s < tokens.offsets.size(); ++s) last.push_back(tokens.offsets[s] - 1);
    const at::Tensor rows = hidden.index_select(0, at::tensor(last, at::kLong));
    const at::Tensor next = logits_of(model.lm_head(rows, forward)).argmax(1);
    ASSERT_TRUE(at::equal(next, expected.select(1, t))) << t;
    tokens = {.ids = next, .offsets = one_each};
  }
}

TEST(TextFolder, AnotherHeadIsAddedToWhatIsThere) {
  OpenTextOptions options{.head = TextHead::sequence_classification,
                          .fit_labels =
                              [](const TextConfig&) {
                                return LabelFit{.num_labels = 4, .names = {"a", "b", "c", "d"}};
                              },
                          .seed = 3};
  const OpenedText opened = open_text_folder(kFixtures + "bert_masked_lm", options);
  EXPECT_THAT(opened.fresh, testing::ElementsAre("bert.pooler.dense.weight", "bert.pooler.dense.bias",
                                                 "classifier.weight", "classifier.bias"));
  const TensorMap base = load_tensors(kFixtures + "bert_masked_lm/model.safetensors");
  for (const NamedTensor& entry : opened.model->state()) {
    if (entry.name == "classifier.weight") {
      EXPECT_EQ(entry.tensor.size(0), 4);
      EXPECT_GT(entry.tensor.abs().sum().item<double>(), 0) << "drawn, not 0";
    }
    if (entry.name.starts_with("bert.encoder")) {
      EXPECT_TRUE(at::equal(entry.tensor, base.at(entry.name))) << entry.name;
    }
  }
}

// ModernBERT's layer 0 alone has no norm before its attention; other architectures have one shape of layer.
TEST(TextFolder, LayersAreKeptFromAnyOfThemOnButModernBerts) {
  const std::string folder = kFixtures + "modernbert_masked_lm";
  const std::int64_t last = load_text_folder(folder).config.layers - 1;
  ASSERT_GE(last, 1);
  EXPECT_THAT(
      error_of(ExitCode::usage, [&] { open_text_folder(folder, {.layers = {last}}); }),
      HasSubstr(fmt::format("student.layers: got {} first, and only layer 0 can be first in a modernbert: it "
                            "is the one without a norm before its attention; write layers: [0, {}]",
                            last, last)));
  EXPECT_EQ(open_text_folder(folder, {.layers = {0, last}}).model->config().layers, 2);
  for (const char* other : {"bert_masked_lm", "gpt2_causal_lm"})
    EXPECT_EQ(open_text_folder(kFixtures + other, {.layers = {1}}).model->config().layers, 1) << other;
}

TEST(TextFolder, WhatDoesNotFitIsListed) {
  const std::string folder = testing::TempDir() + "mgd_text_misfit";
  TextFolder content = load_text_folder(kFixtures + "gpt2_causal_lm");
  content.config.intermediate_size = 32;
  content.tensors.erase("transformer.ln_f.bias");
  save_text_folder(folder, content);
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { open_text_folder(folder); }),
              testing::AllOf(HasSubstr("missing: transformer.ln_f.bias"),
                             HasSubstr("transformer.h.0.mlp.c_fc.weight is (16, 64), expected (16, 32)")));
  fs::remove_all(folder);
}

// Half the bits of a float's mantissa are gone, so this is no check of values but of types that meet.
TEST(TextFolder, RunsInMixedPrecision) {
  for (const char* name : {"bert_masked_lm", "modernbert_masked_lm", "gpt2_causal_lm", "bart_causal_lm"}) {
    const OpenedText opened = open_text_folder(kFixtures + name);
    const TensorMap expected = load_tensors(kFixtures + name + "/expected.safetensors");
    const AutocastGuard autocast(true, at::kCPU);
    Forward forward(/*training=*/true);
    const LmHead head = opened.model->run(batch_of(expected, "right"), forward).head;
    const at::Tensor logits = logits_of(head).to(at::kFloat);
    const at::Tensor& exact = expected.at("right.logits");
    EXPECT_LE((logits - exact).norm().item<double>(), 0.05 * exact.norm().item<double>()) << name;
    logits.sum().backward();
    for (const NamedTensor& entry : opened.model->parameters())
      EXPECT_EQ(entry.tensor.grad().scalar_type(), at::kFloat) << entry.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HuggingFace,
                         testing::Values("bert_masked_lm", "bert_untied", "bert_sequence", "bert_token",
                                         "bert_encoder", "gpt2_causal_lm", "gpt2_sequence", "gpt2_token",
                                         "roberta_masked_lm", "roberta_sequence", "roberta_token",
                                         "distilbert_masked_lm", "distilbert_sequence", "distilbert_token",
                                         "modernbert_masked_lm", "modernbert_sequence", "modernbert_token",
                                         "bart_causal_lm", "bart_sequence"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace mgd
