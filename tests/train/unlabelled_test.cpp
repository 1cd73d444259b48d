// Runs on pictures without labels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "mgd/train/finish.h"
#include "mgd/train/preflight.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Names = std::vector<std::string>;

Names names_of(const Figures& figures) {
  Names names;
  for (const auto& [name, value] : figures) names.push_back(name);
  return names;
}

// The toy pictures as they lie.
Config unlabelled(const toy::TempFolder& folder, const Names& more) {
  Names extra{"data.labels=none", toy::teacher(folder), "train.epochs=2"};
  extra.insert(extra.end(), more.begin(), more.end());
  return toy::config(folder, extra);
}

TEST(Unlabelled, TheStudentTakesTheTeachersClassesAndComesNearerToIt) {
  const toy::TempFolder folder;
  const auto run = make_run(unlabelled(folder, {"losses=[{name: kd, weight: 1}]", "train.epochs=8"}));
  EXPECT_FALSE(run->task->labelled());
  EXPECT_EQ(run->task->class_names(), (Names{"bars", "dots", "rings"}));
  const Figures before = run->task->measure(*run->student, "validation");
  EXPECT_THAT(names_of(before), ElementsAre("agreement", "divergence", "feature_similarity"));
  EXPECT_EQ(run->task->headline().name, "agreement");
  train(*run, RunFolder(folder / "run", RunFolder::Open::create), {}, {});
  const Figures after = run->task->measure(*run->student, "validation");
  EXPECT_LT(figure(after, "divergence"), figure(before, "divergence"));
  const FinalMeasures measures = measure_final(*run);
  EXPECT_EQ(measures.source, nullptr) << "nothing to say of right and wrong";
  EXPECT_EQ(measures.student.classes.samples, 0);
  export_student(*run, folder.path() / "student");
  EXPECT_EQ(load_model_config(folder / "student").label_names, (Names{"bars", "dots", "rings"}));
}

TEST(Unlabelled, WhatNoLossLooksAtIsNotExported) {
  const toy::TempFolder folder;
  const auto run = make_run(unlabelled(folder, {"losses=[mimic]"}));
  EXPECT_EQ(run->task->headline().name, "feature_similarity");
  EXPECT_THAT(names_of(run->task->measure(*run->student, "validation")), ElementsAre("feature_similarity"));
  EXPECT_THAT(describe_run(*run), Contains(HasSubstr("exported without a classifier")));
  EXPECT_THAT(describe_run(*run), Contains(HasSubstr("against what goes into that of teacher")));
  export_student(*run, folder.path() / "backbone");
  const LoadedFolder backbone = load_model_folder(folder / "backbone");
  EXPECT_EQ(backbone.info.num_classes, 0);
  EXPECT_FALSE(backbone.tensors.contains("linear.weight"));
  // Training gives it a classifier.
  const auto next = make_run(
      toy::config(folder, {"student={path: " + folder / "backbone" + "}", "losses=[cross_entropy]"}));
  EXPECT_EQ(next->task->class_names(), (Names{"bars", "dots", "rings"}));
  EXPECT_THAT(describe_run(*next), Contains(HasSubstr("head fresh: none -> 3 classes")));
}

TEST(Unlabelled, WhatALossComparesIsExportedThoughItBeTheClassifier) {
  const toy::TempFolder folder;
  const auto run =
      make_run(unlabelled(folder, {"losses=[{name: cosine, student_tap: linear, teacher_tap: linear}]"}));
  EXPECT_EQ(run->task->headline().name, "agreement");
  export_student(*run, folder.path() / "student");
  EXPECT_EQ(load_model_folder(folder / "student").info.num_classes, 3);
}

TEST(Unlabelled, ATeacherWithoutAClassifierTeachesByItsFeatures) {
  const toy::TempFolder folder;
  toy::teacher(folder);
  LoadedFolder loaded = load_model_folder(folder / "teacher");
  std::erase_if(loaded.tensors, [](const auto& entry) { return entry.first.starts_with("linear."); });
  loaded.info.num_classes = 0;
  loaded.info.label_names.clear();
  save_model_folder(folder / "bare", loaded.info, loaded.tensors);
  const Names teacher{"data.labels=none", "teacher.path=" + folder / "bare"};
  const auto with = [&](const std::string& losses) {
    Names extra = teacher;
    extra.push_back(losses);
    return make_run(toy::config(folder, extra));
  };
  EXPECT_EQ(with("losses=[mimic]")->task->headline().name, "feature_similarity");
  EXPECT_THAT(error_of(ExitCode::usage, [&] { with("losses=[kd]"); }),
              AllOf(HasSubstr("losses.kd"), HasSubstr("no classifier")));
}

TEST(Unlabelled, LossesThatReadLabelsAndRunsWithoutATeacherAreRefused) {
  const toy::TempFolder folder;
  for (const char* losses : {"losses=[cross_entropy, kd]", "losses=[dkd]", "losses=[nkd]"})
    EXPECT_THAT(error_of(ExitCode::bad_data, [&] { make_run(unlabelled(folder, {losses})); }),
                HasSubstr("no labels, and a loss reads them"));
  const Config alone = toy::config(folder, {"data.labels=none", "losses=[cross_entropy]"});
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { make_run(alone); }), HasSubstr("learn from a teacher"));
}

TEST(Unlabelled, ThePreflightOfAnUntrainedTeacherHasNothingToJudgeBy) {
  const toy::TempFolder folder;
  const auto run = make_run(unlabelled(folder, {"losses=[kd]"}));
  for (const Preflight& check : preflight(*run)) EXPECT_EQ(check.samples, 0);
}

TEST(Unlabelled, AResumedRunIsTheSame) {
  const toy::TempFolder folder;
  const Config config =
      unlabelled(folder, {"losses=[{name: kd, weight: 1}, mgd]", "data.augment=[{name: mixup}]",
                          "data.views=2", "train.schedule=constant", "train.export_weights=last",
                          "train.teacher_cache=" + folder / "kept.cache"});
  toy::expect_resumed_the_same(config, folder.path());
}

// In the middle of a queue that is not full yet, and that has gone round.
TEST(Unlabelled, WhatALossRemembersIsResumedToTheBit) {
  const toy::TempFolder folder;
  const std::string local = "{name: similarity, label: local, among: positions, weight: 0.1}";
  for (const std::string queue : {"16", "44"})
    for (const std::string micro : {"0", "4"}) {
      SCOPED_TRACE(queue + " " + micro);
      const Config config =
          unlabelled(folder, {"losses=[{name: similarity, queue: " + queue + "}, " + local + "]",
                              "train.micro_batch_size=" + micro, "train.schedule=constant",
                              "train.export_weights=last", "train.epochs=3"});
      toy::expect_resumed_the_same(config, folder.path() / (queue + "-" + micro));
    }
}

TEST(Unlabelled, AQueueSaysWhatItHolds) {
  const toy::TempFolder folder;
  const auto open = [&](const char* steps) {
    return make_run(unlabelled(folder, {"losses=[{name: similarity, queue: 44}]", steps}));
  };
  toy::Notes notes;
  train(*open("train.max_steps=2"), RunFolder(folder / "run", RunFolder::Open::create), {}, notes.events());
  const auto run = open("train.max_steps=4");
  EXPECT_THAT(describe_run(*run), Contains(HasSubstr("against 44 earlier embeddings")));
  train(*run, RunFolder(folder / "run", RunFolder::Open::resume), {}, notes.events());
  const auto batch = run->config.train.batch_size;
  EXPECT_THAT(notes.lines, Contains(HasSubstr(fmt::format("losses.similarity: holds {} of 44", 2 * batch))));
}

}  // namespace
}  // namespace mgd
