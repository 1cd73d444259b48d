// Classes are matched by name between teacher, student and data.
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "mgd/train/finish.h"
#include "mgd/train/preflight.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;
using Names = std::vector<std::string>;

const Names kToy{"bars", "dots", "rings"};

fs::path teacher_folder(const toy::TempFolder& folder) {
  toy::teacher(folder);
  return folder / "teacher";
}

// A copy of the teacher whose output k is the original's output places[k], called names[k].
std::string rearranged(const toy::TempFolder& folder, const std::string& as,
                       const std::vector<std::int64_t>& places, const Names& names) {
  LoadedFolder loaded = load_model_folder(teacher_folder(folder));
  pick_rows(loaded.tensors, "linear", places);
  loaded.info.num_classes = static_cast<std::int64_t>(names.size());
  loaded.info.label_names = names;
  save_model_folder(folder / as, loaded.info, loaded.tensors);
  return "teacher.path=" + folder / as;
}

const Names kDistill{"losses=[cross_entropy, kd]", "train.check_teacher=false"};

Config distilling(const toy::TempFolder& folder, const std::string& teacher, Names more = {}) {
  more.insert(more.end(), kDistill.begin(), kDistill.end());
  more.push_back(teacher);
  return toy::config(folder, more);
}

at::Tensor teacher_logits(Run& run) {
  Batch batch = run.loader->next().micro.at(0);
  return teacher_answers(run, batch).front().logits;
}

bool says(const Run& run, const std::string& part) {
  for (const std::string& line : describe_run(run))
    if (line.find(part) != std::string::npos) return true;
  return false;
}

TEST(Classes, ATeacherInAnotherOrderTeachesTheSame) {
  const toy::TempFolder folder;
  const std::string plain = toy::teacher(folder);
  const std::string other = rearranged(folder, "other", {2, 0, 1}, {"rings", "bars", "dots"});
  const auto first = make_run(distilling(folder, plain)), second = make_run(distilling(folder, other));
  EXPECT_TRUE(at::equal(teacher_logits(*first), teacher_logits(*second)));
  EXPECT_TRUE(says(*second, "another order, matched by name"));
  EXPECT_FALSE(says(*first, "by name"));
  EXPECT_EQ(preflight(*first).at(0).teacher_accuracy, preflight(*second).at(0).teacher_accuracy);
  toy::expect_equal(toy::train_all(distilling(folder, plain), folder / "run1"),
                    toy::train_all(distilling(folder, other), folder / "run2"));
  EXPECT_EQ(figure(measure_final(*first).teacher().figures, "accuracy"),
            figure(measure_final(*second).teacher().figures, "accuracy"));
}

TEST(Classes, OfABiggerTeacherTheDatasClassesCount) {
  const toy::TempFolder folder;
  const std::string plain = toy::teacher(folder);
  const std::string bigger =
      rearranged(folder, "bigger", {0, 2, 1, 0, 1}, {"cats", "rings", "dots", "bars", "dogs"});
  const auto first = make_run(distilling(folder, plain)), second = make_run(distilling(folder, bigger));
  EXPECT_TRUE(says(*second, "has 5 classes, 3 of them the data's"));
  EXPECT_TRUE(at::equal(teacher_logits(*first), teacher_logits(*second)));

  // The data has fewer: bars and rings.
  fs::remove_all(folder.path() / "images/train/dots");
  fs::remove_all(folder.path() / "images/test/dots");
  const auto fewer = make_run(distilling(folder, plain));
  EXPECT_TRUE(says(*fewer, "has 3 classes, 2 of them the data's"));
  EXPECT_EQ(teacher_logits(*fewer).size(1), 2);
  EXPECT_GT(figure(measure_final(*fewer).teacher().figures, "accuracy"), 0.9);
}

TEST(Classes, AnUnknownNameIsRefusedWithTheNearest) {
  const toy::TempFolder folder;
  const std::string teacher = rearranged(folder, "other", {0, 1, 2}, {"bars", "dots", "rins"});
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_run(distilling(folder, teacher)); }),
              HasSubstr("'rings'; did you mean 'rins'?"));
  EXPECT_THAT(
      error_of(ExitCode::usage, [&] { make_run(toy::config(folder, {"student=" + folder / "other"})); }),
      HasSubstr("student.head: fresh"));
}

TEST(Classes, ATeacherOfOtherClassesServesLossesOnFeatures) {
  const toy::TempFolder folder;
  const std::string other = rearranged(folder, "other", {0, 1, 2, 0}, {"cat", "dog", "cow", "owl"});
  EXPECT_THAT(
      error_of(ExitCode::usage, [&] { make_run(distilling(folder, other)); }),
      HasSubstr("losses.kd: it compares logits, and teacher has 4 classes, none of them one of the data's"));
  const Names mgd{"losses=[cross_entropy, {name: mgd, mask: element}]", other};
  const auto run = make_run(toy::config(folder, mgd));
  EXPECT_TRUE(says(*run, "its features can teach"));
  EXPECT_EQ(preflight(*run).at(0).samples, 0);
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  const TrainResult result = train(*run, run_folder, {}, notes.events());
  EXPECT_GT(result.best_value, 0.6);
  const FinalMeasures measures = measure_final(*run);
  EXPECT_TRUE(measures.teacher().figures.empty());
  EXPECT_GT(measures.teacher().bytes, 0U);
  EXPECT_NO_THROW(summary_json(*run, result, measures, "model"));
  // Its outputs can be kept, too.
  const auto cached =
      make_run(toy::config(folder, {mgd[0], other, "train.teacher_cache=" + folder / "t.cache"}));
  forward_backward(*cached, cached->loader->next(), 0);
  EXPECT_GT(cached->teacher()->cache->misses(), 0);
}

TEST(Classes, BareWeightsGetTheirOrderFromTheRecipe) {
  const toy::TempFolder folder;
  const std::string plain = toy::teacher(folder);
  rearranged(folder, "other", {2, 0, 1}, {"rings", "bars", "dots"});
  const Names bare{"teacher={model: cifar_resnet8, width: 0.5, weights: " +
                   folder / "other/model.safetensors}"};
  const auto named = make_run(distilling(folder, bare[0], {"data.classes=[rings, bars, dots]"}));
  const auto expected = make_run(distilling(folder, plain));
  EXPECT_TRUE(at::equal(teacher_logits(*named), teacher_logits(*expected)));
  // Without them the order is that of the data, and this is said.
  const auto guessed = make_run(distilling(folder, bare[0]));
  EXPECT_TRUE(says(*guessed, "in the order of the data's (bars, dots, rings)"));
  EXPECT_FALSE(at::equal(teacher_logits(*guessed), teacher_logits(*make_run(distilling(folder, plain)))));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] { make_run(distilling(folder, bare[0], {"data.classes=[rings, bars]"})); }),
              HasSubstr("data.classes: 2 names"));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] { make_run(distilling(folder, bare[0], {"data.classes=[rings, bars, dot]"})); }),
              HasSubstr("'dots'; did you mean 'dot'?"));
}

TEST(Classes, AStudentsHeadIsTakenOverByName) {
  const toy::TempFolder folder;
  toy::teacher(folder);
  rearranged(folder, "other", {2, 0, 1}, {"rings", "bars", "dots"});
  const auto plain = make_run(toy::config(folder, {"student=" + folder / "teacher"}));
  const auto other = make_run(toy::config(folder, {"student=" + folder / "other"}));
  EXPECT_EQ(fingerprint_of(*plain->student), fingerprint_of(*other->student));
  EXPECT_TRUE(says(*other, "another order, matched by name"));
  export_student(*other, folder / "exported");
  EXPECT_EQ(load_model_folder(folder / "exported").info.label_names, kToy);
  // A part of its classes, and a fresh start where that is asked for.
  rearranged(folder, "bigger", {0, 2, 1, 0, 1}, {"cats", "rings", "dots", "bars", "dogs"});
  const auto bigger = make_run(toy::config(folder, {"student=" + folder / "bigger"}));
  EXPECT_EQ(fingerprint_of(*plain->student), fingerprint_of(*bigger->student));
  const auto fresh = make_run(toy::config(folder, {"student={path: " + folder / "teacher, head: fresh}"}));
  EXPECT_TRUE(says(*fresh, "head fresh: 3 -> 3 classes"));
  EXPECT_NE(fingerprint_of(*plain->student), fingerprint_of(*fresh->student));
}

}  // namespace
}  // namespace mgd
