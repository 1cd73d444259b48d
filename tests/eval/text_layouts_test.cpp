// Folders as people have them: other names, other classes, bodies without heads.
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "mgd/core/file.h"
#include "mgd/eval/text_folder.h"
#include "mgd/io/weights.h"

namespace mgd {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using Rename = std::function<std::string(const std::string&)>;

const std::string kFixtures = std::string(MGD_SOURCE_DIR "/tests/eval/fixtures") + "/text/";

class TextLayouts : public testing::Test {
 protected:
  TextLayouts() { fs::create_directories(folder_); }
  ~TextLayouts() override { fs::remove_all(folder_); }

  // The fixture with its tensors renamed ("" leaves one out), and keys of its config set (null removes one).
  std::string variant(const std::string& name, const Rename& rename, const json& changes = json::object(),
                      const TensorMap& more = {}) const {
    TensorMap tensors = more;
    for (const auto& [key, tensor] : load_tensors(kFixtures + name + "/model.safetensors"))
      if (const std::string now = rename(key); !now.empty()) tensors.emplace(now, tensor);
    write_file_atomic(folder_ / "model.safetensors", tensors_to_safetensors(tensors));
    json config = json::parse(read_file(kFixtures + name + "/config.json"));
    for (const auto& [key, value] : changes.items()) {
      if (value.is_null())
        config.erase(key);
      else
        config[key] = value;
    }
    write_file_atomic(folder_ / "config.json", config.dump());
    return folder_.string();
  }

  static void expect_same(const TextModel& got, const std::string& fixture) {
    const OpenedText wanted = open_text_folder(kFixtures + fixture);
    const TensorMap ours = state_of(got), theirs = state_of(*wanted.model);
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto& [name, tensor] : theirs) {
      ASSERT_TRUE(ours.contains(name)) << name;
      EXPECT_TRUE(at::equal(ours.at(name), tensor)) << name;
    }
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / "mgd_text_layouts";
};

std::string same(const std::string& name) {
  return name;
}

TEST_F(TextLayouts, WhatToolsPutInFrontIsLeftOutAndSaid) {
  for (const char* wrapper : {"module.", "_orig_mod.", "model.", "module._orig_mod.", "student.net."})
    for (const char* fixture :
         {"bert_masked_lm", "gpt2_causal_lm", "bart_causal_lm", "modernbert_sequence"}) {
      SCOPED_TRACE(std::string(wrapper) + fixture);
      const OpenedText opened =
          open_text_folder(variant(fixture, [&](const std::string& name) { return wrapper + name; }));
      expect_same(*opened.model, fixture);
      EXPECT_THAT(opened.notes, ElementsAre(HasSubstr(fmt::format("begin with '{}'", wrapper))));
    }
  EXPECT_TRUE(open_text_folder(kFixtures + "bart_causal_lm").notes.empty());
}

// safetensors' save_model keeps one name of a tied table.
TEST_F(TextLayouts, ATiedTableIsFoundUnderEitherName) {
  const auto moved = [](const std::string& from, const std::string& to) {
    return [from, to](const std::string& name) { return name == from ? to : name; };
  };
  for (const auto& [fixture, table, copy] :
       {std::tuple{"gpt2_causal_lm", "transformer.wte.weight", "lm_head.weight"},
        {"bert_masked_lm", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
        {"roberta_masked_lm", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
        {"bart_causal_lm", "model.shared.weight", "lm_head.weight"},
        {"bart_causal_lm", "model.shared.weight", "model.decoder.embed_tokens.weight"}}) {
    SCOPED_TRACE(std::string(fixture) + " " + copy);
    expect_same(*open_text_folder(variant(fixture, moved(table, copy))).model, fixture);
  }
  const auto bias = moved("cls.predictions.bias", "cls.predictions.decoder.bias");
  expect_same(*open_text_folder(variant("bert_masked_lm", bias)).model, "bert_masked_lm");
}

TEST_F(TextLayouts, AFolderWithoutAClassIsWhatItsWeightsAre) {
  for (const char* fixture :
       {"bert_masked_lm", "bert_sequence", "bert_token", "roberta_sequence", "roberta_token",
        "distilbert_sequence", "modernbert_masked_lm", "gpt2_sequence", "gpt2_token", "bart_sequence"}) {
    SCOPED_TRACE(fixture);
    const OpenedText opened = open_text_folder(variant(fixture, same, {{"architectures", nullptr}}));
    expect_same(*opened.model, fixture);
    EXPECT_THAT(opened.notes, ElementsAre(HasSubstr("config.json names no class")));
  }
}

// As facebook/bart-base is published: a body whose table of tokens is its head.
TEST_F(TextLayouts, ABodyMayServeAsALanguageModel) {
  const auto bare = [](const std::string& prefix) {
    return [prefix](const std::string& name) {
      return name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
    };
  };
  const OpenTextOptions generates{.head_of_body = TextHead::causal_lm};
  const OpenedText bart = open_text_folder(
      variant("bart_causal_lm", bare("model."), {{"architectures", {"BartModel"}}}), generates);
  EXPECT_EQ(bart.model->config().head, TextHead::causal_lm);
  EXPECT_THAT(bart.fresh, ElementsAre("final_logits_bias"));
  EXPECT_THAT(bart.notes, testing::Contains(HasSubstr("a body alone")));
  // Named a language model by hand: transformers makes the bias of zeros, and so does this.
  const OpenedText renamed = open_text_folder(variant("bart_causal_lm", bare("model.")));
  EXPECT_EQ(renamed.model->config().head, TextHead::causal_lm);
  EXPECT_TRUE(renamed.fresh.empty());
  const OpenedText gpt2 = open_text_folder(
      variant("gpt2_causal_lm", bare("transformer."), {{"architectures", {"GPT2Model"}}}), generates);
  expect_same(*gpt2.model, "gpt2_causal_lm");
  const OpenedText bert =
      open_text_folder(variant("bert_encoder", same), {.head_of_body = TextHead::masked_lm});
  EXPECT_EQ(bert.model->config().head, TextHead::encoder) << "its head has weights of its own";
}

TEST_F(TextLayouts, WeightsOfAnotherHeadAreNamed) {
  const TensorMap more = {{"cls.seq_relationship.weight", at::ones({2, 16})},
                          {"bert.embeddings.position_ids", at::ones({1, 20})}};
  const OpenedText opened = open_text_folder(variant("bert_masked_lm", same, json::object(), more));
  EXPECT_THAT(opened.notes,
              ElementsAre("1 weights are of a head that is not used: cls.seq_relationship.weight"));
}

// id2label of the fixture: no, yes, maybe.
TEST_F(TextLayouts, RowsOfAClassifierAreTakenByName) {
  OpenTextOptions options;
  TextConfig seen;
  options.fit_labels = [&](const TextConfig& own) {
    seen = own;
    return LabelFit{.num_labels = 2, .names = {"yes", "no"}, .rows = {1, 0}};
  };
  const OpenedText opened = open_text_folder(kFixtures + "bert_sequence", options);
  EXPECT_THAT(seen.label_names, ElementsAre("no", "yes", "maybe"));
  EXPECT_THAT(opened.model->config().label_names, ElementsAre("yes", "no"));
  const TensorMap old = load_tensors(kFixtures + "bert_sequence/model.safetensors"),
                  now = state_of(*opened.model);
  for (const char* leaf : {"classifier.weight", "classifier.bias"}) {
    EXPECT_EQ(now.at(leaf).size(0), 2);
    EXPECT_TRUE(at::equal(now.at(leaf)[0], old.at(leaf)[1])) << leaf;
    EXPECT_TRUE(at::equal(now.at(leaf)[1], old.at(leaf)[0])) << leaf;
  }
  EXPECT_TRUE(opened.fresh.empty());
}

TEST_F(TextLayouts, AFreshOutputLayerKeepsTheRest) {
  OpenTextOptions options;
  options.fit_labels = [](const TextConfig&) {
    return LabelFit{.num_labels = 5, .names = {"a", "b", "c", "d", "e"}, .fresh = true};
  };
  for (const char* fixture : {"bert_sequence", "roberta_sequence", "bart_sequence"}) {
    const OpenedText opened =
        open_text_folder(variant(fixture, same, {{"problem_type", "regression"}}), options);
    EXPECT_EQ(opened.model->config().num_labels, 5) << fixture;
    EXPECT_EQ(opened.model->config().problem_type, "single_label_classification");
    EXPECT_EQ(opened.fresh.size(), 2) << fixture;
    const TensorMap old = load_tensors(kFixtures + fixture + "/model.safetensors");
    for (const auto& [name, tensor] : state_of(*opened.model))
      if (std::find(opened.fresh.begin(), opened.fresh.end(), name) == opened.fresh.end()) {
        EXPECT_TRUE(at::equal(tensor, old.at(name))) << name;
      }
  }
}

}  // namespace
}  // namespace mgd
