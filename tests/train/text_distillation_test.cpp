// Recipes that compare texts: the same one for every family of encoders, resumed to the byte, and cut into
// micro-batches.
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "expect_error.h"
#include "mgd/eval/text_folder.h"
#include "mgd/train/run.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using testing::HasSubstr;

// A small encoder for the toy vocabulary, as the override that names it as the teacher.
std::string teacher_of(const toy::TempFolder& folder, const std::string& type, TextHead head,
                       std::int64_t hidden = 24) {
  if (!fs::exists(folder / "tokens")) toy::write_texts(folder);
  TextConfig config = text_config(type,
                                  {.vocab_size = 120,
                                   .hidden_size = hidden,
                                   .layers = 4,
                                   .heads = 2,
                                   .intermediate_size = 32,
                                   .max_positions = 64},
                                  head);
  if (type == "modernbert") config.local_window = 2;
  config.initializer_range = 0.3;  // layers that do something
  const std::string path = folder / (type + text_head_name(head));
  save_text_model(path, *make_text_model(config, 7), {});
  return "teacher=" + path;
}

std::vector<std::string> with(std::vector<std::string> all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// Plain sentences; embeddings are measured by the pairs of embed.tsv.
Config sentences(const toy::TempFolder& folder, const std::vector<std::string>& extra) {
  return toy::text_config(folder, "embed",
                          with({"data.path=" + (folder / "train.txt"), "data.validation=0",
                                "text.validation=" + (folder / "embed.tsv"), "train.export_weights=last",
                                "train.schedule=constant"},
                               extra));
}

// The losses of the first and the last step.
std::pair<double, double> ends_of(const std::string& metrics, const std::string& key) {
  std::istringstream rows(metrics);
  std::vector<double> values;
  for (std::string row; std::getline(rows, row);) {
    const auto parsed = nlohmann::json::parse(row);
    if (parsed.contains(key)) values.push_back(parsed[key].get<double>());
  }
  if (values.size() < 2) throw std::runtime_error("no " + key + " in " + metrics);
  return {values.front(), values.back()};
}

TEST(TextRecipes, OneRecipeDistilsEveryFamilyOfEncoders) {
  for (const char* type : {"modernbert", "roberta", "distilbert", "bert"}) {
    SCOPED_TRACE(type);
    const toy::TempFolder folder;
    const std::string embed = teacher_of(folder, type, TextHead::encoder);
    const toy::Outcome encoder = toy::train_all(
        sentences(folder,
                  {embed, "student={from: teacher, layers: [0, 3]}",
                   "losses=[embedding, {name: minilm, relation_heads: 4}, {name: mgd, mask_ratio: 0.3}, "
                   "{name: tinybert, weight: 0.1}]"}),
        folder / "embed");
    for (const char* loss : {"loss/embedding", "loss/mgd", "loss/tinybert.hidden"}) {
      const auto [first, last] = ends_of(encoder.metrics, loss);
      EXPECT_LT(last, first) << loss;
    }
    const std::string fill = teacher_of(folder, type, TextHead::masked_lm);
    const toy::Outcome masked = toy::train_all(
        toy::text_config(
            folder, "mlm",
            {fill, "student={from: teacher, layers: [0, 2]}", "losses=[kd, {name: mgd, mask_ratio: 0.3}]"}),
        folder / "mlm");
    const auto [first, last] = ends_of(masked.metrics, "loss/mgd");
    EXPECT_LT(last, first);
    EXPECT_TRUE(std::isfinite(ends_of(masked.metrics, "loss/kd").second));
  }
}

const char* const kEveryLoss =
    "losses=[{name: mgd, mask_ratio: 0.4}, {name: mgd, label: attended, generator: transformer, fill: "
    "token}, "
    "{name: mimic}, {name: mimic, label: standard, target: phi_s}, {name: cosine}, {name: minilm, "
    "relation_heads: 4}, {name: tinybert, layers: ['0:3']}, "
    "{name: embedding}, {name: embedding, label: reduced, reduce: pca}]";

// faults.md row 6: stopped in mid-epoch, and gone on with from what lies on the disk.
TEST(TextRecipes, EveryLossBetweenTextsResumesToTheByte) {
  const toy::TempFolder folder;
  const std::string teacher = teacher_of(folder, "bert", TextHead::encoder);
  const Config full = sentences(folder, {teacher, kEveryLoss, "train.micro_batch_size=16"});
  toy::expect_resumed_the_same(full, folder.path(), 7);  // 6 steps an epoch, 12 in all
}

TEST(TextRecipes, TheSurveyIsToldAndKeptInCheckpoints) {
  const toy::TempFolder folder;
  const std::string teacher = teacher_of(folder, "bert", TextHead::encoder);
  const Config config = sentences(folder, {teacher, "losses=[{name: embedding, reduce: pca}]"});
  toy::Notes notes;
  const auto run = make_run(config);
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  train(*run, run_folder, {}, notes.events());
  EXPECT_THAT(
      notes.lines,
      testing::Contains(HasSubstr("embedding: the first 16 principal components of the teacher's 24 keep ")));
  EXPECT_THAT(notes.lines, testing::Contains(HasSubstr("of 200 training texts")));
  const auto buffers = run->buffers();
  ASSERT_EQ(buffers.size(), 1U);
  EXPECT_EQ(buffers[0].name, "loss/embedding/components");
  EXPECT_GT(buffers[0].tensor.abs().sum().item<double>(), 0);
}

TEST(TextRecipes, PhiSTakesEveryRowOfTheTrainingTexts) {
  const toy::TempFolder folder;
  const std::string teacher = teacher_of(folder, "bert", TextHead::encoder);
  const Config config = sentences(folder, {teacher, "losses=[embedding, {name: mgd, target: phi_s}]"});
  toy::Notes notes;
  const auto run = make_run(config);
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  train(*run, run_folder, {}, notes.events());
  EXPECT_THAT(notes.lines, testing::Contains(testing::ContainsRegex(
                               "mgd: PHI-S of teacher .*layer.3 over [0-9]+ rows of the training samples")));
  EXPECT_THAT(describe_run(*run), testing::Contains(HasSubstr("by PHI-S")));
}

// The sums and counts of a step, whatever it is cut into.
TEST(TextRecipes, MicroBatchesChangeNothing) {
  const toy::TempFolder folder;
  const std::string teacher = teacher_of(folder, "bert", TextHead::encoder);
  std::map<std::string, double> parts;
  for (const char* size : {"32", "8"}) {
    const auto run = make_run(sentences(
        folder, {teacher, kEveryLoss, std::string("train.micro_batch_size=") + size, "student.dropout=0"}));
    const StepResult result = forward_backward(*run, run->loader->next(), 3);
    if (parts.empty()) parts = {result.parts.begin(), result.parts.end()};
    for (const auto& [label, value] : result.parts)
      EXPECT_NEAR(value, parts.at(label), 1e-5 * std::abs(parts.at(label))) << label << " " << size;
  }
  EXPECT_EQ(parts.size(), 10U);
}

TEST(TextRecipes, WhatCannotFitIsRefusedWithItsPlace) {
  const toy::TempFolder folder;
  const std::string teacher = teacher_of(folder, "bert", TextHead::masked_lm);
  const auto message = [&](const std::string& task, const std::vector<std::string>& extra) {
    return error_of(ExitCode::usage,
                    [&] { make_run(toy::text_config(folder, task, with({teacher}, extra))); });
  };
  EXPECT_THAT(message("mlm", {"losses=[{name: mgd, mask: spatial}]"}),
              testing::AllOf(HasSubstr("losses.mgd: mask: got 'spatial', and the node has rows (H)"),
                             HasSubstr("token, block")));
  EXPECT_THAT(message("mlm", {"losses=[cosine_similarity]"}), HasSubstr("it is for task: embed"));
}

TEST(TextRecipes, AModelWithoutThatAttentionIsRefused) {
  const toy::TempFolder folder;
  const std::string teacher = teacher_of(folder, "bert", TextHead::encoder);
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         make_run(sentences(folder, {teacher, "losses=[tinybert]", "student.heads=4"}));
                       }),
              HasSubstr("layer 0 of the student has 4 heads and layer 3 of the teacher 2"));
}

}  // namespace
}  // namespace mgd
