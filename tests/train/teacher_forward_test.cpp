// Runs with a cache of the teacher's outputs, and without.
#include "mgd/train/teacher_forward.h"

#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "flip_bit.h"
#include "mgd/train/finish.h"
#include "mgd/train/preflight.h"
#include "mgd/train/step.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

using Options = std::vector<std::string>;

class CachedRuns : public testing::Test {
 protected:
  Config config(Options extra = {}) const {
    Options all{toy::teacher(folder), "losses=[{name: cross_entropy}, {name: kd}, {name: mgd}]",
                "data.augment=[crop: 1, flip]", "data.views=2", "train.epochs=5"};
    all.insert(all.end(), extra.begin(), extra.end());
    return toy::config(folder, all);
  }
  std::string cached() const { return "train.teacher_cache=" + (folder / "t.cache"); }

  struct Trained {
    std::unique_ptr<mgd::Run> run;
    std::string student;  // fingerprint
    toy::Notes notes;
  };
  Trained trained(const std::string& name, const Options& extra) {
    Trained t{.run = make_run(config(extra)), .student = {}, .notes = {}};
    preflight(*t.run);
    train(*t.run, RunFolder(folder / name, RunFolder::Open::create), {}, t.notes.events());
    t.student = fingerprint_of(*t.run->student);
    return t;
  }

  const toy::TempFolder folder;
};

TEST_F(CachedRuns, EqualARunWithoutByteForByte) {
  const auto plain = trained("plain", {}), building = trained("building", {cached()}),
             full = trained("full", {cached()});
  EXPECT_EQ(plain.student, building.student);
  EXPECT_EQ(plain.student, full.student);
  EXPECT_GT(building.run->teacher_cache->hits(), 0);
  EXPECT_GT(building.run->teacher_cache->misses(), 0);
  // 54 samples in batches of 12: six are left out of each epoch, and added after the second.
  EXPECT_THAT(building.notes.lines, Contains(HasSubstr("samples added that no batch had")));
  EXPECT_TRUE(building.run->teacher_cache->complete());
  EXPECT_EQ(full.run->teacher_cache->misses(), 0);
}

TEST_F(CachedRuns, ACompleteCacheNeedsNoTeacher) {
  const auto building = trained("building", {cached()});
  const FinalMeasures measured = measure_final(*building.run);
  const auto run = make_run(config({cached()}));
  fs::remove(folder.path() / "teacher/model.safetensors");  // it is hashed at the start, and never read again
  EXPECT_EQ(run->teacher, nullptr);
  const Preflight seen = preflight(*run);
  EXPECT_GT(seen.teacher_accuracy, 0.5) << "as noted";
  EXPECT_GT(seen.samples, 0);
  toy::Notes notes;
  const TrainResult result =
      train(*run, RunFolder(folder / "full", RunFolder::Open::create), {}, notes.events());
  EXPECT_EQ(fingerprint_of(*run->student), building.student);
  const FinalMeasures noted = measure_final(*run);
  EXPECT_EQ(run->teacher, nullptr) << "from the first line to the last";
  EXPECT_EQ(noted.teacher.figures, measured.teacher.figures);
  EXPECT_EQ(noted.teacher.bytes, measured.teacher.bytes);
  EXPECT_EQ(noted.teacher.classes.samples, measured.teacher.classes.samples);
  const std::string summary = summary_json(*run, result, noted, "student");
  EXPECT_THAT(summary, HasSubstr("\"teacher_loaded\": false"));
  EXPECT_THAT(summary, HasSubstr("\"complete\": true"));
}

TEST_F(CachedRuns, ADamagedRecordBringsTheTeacherBack) {
  const auto building = trained("building", {cached()});
  flip_bit(folder / "t.cache", -100);
  const auto full = trained("full", {cached()});
  EXPECT_EQ(full.student, building.student);
  EXPECT_EQ(full.run->teacher_cache->damaged(), 1);
  EXPECT_NE(full.run->teacher, nullptr);
  EXPECT_THAT(full.notes.lines, Contains(HasSubstr("1 records damaged")));
  EXPECT_EQ(trained("mended", {cached()}).run->teacher_cache->damaged(), 0);
}

TEST_F(CachedRuns, AnotherTeacherIsRefused) {
  trained("building", {cached(), "train.epochs=1"});
  flip_bit(folder / "teacher/model.safetensors", -4);
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_run(config({cached()})); }),
              HasSubstr("\n  teacher: was "));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         make_run(config({cached(), "data.augment=[flip]"}));
                       }),
              HasSubstr("\n  augment: was "));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         make_run(config({cached(), "data.per_class=10"}));
                       }),
              HasSubstr("\n  data: was "));
}

TEST_F(CachedRuns, CoarseTargetsAreTheSameOnesInEveryRun) {
  const Options coarse{"train.teacher_cache={path: " + (folder / "c.cache") + ", features: int8, top_k: 2}"};
  const auto building = trained("building", coarse), full = trained("full", coarse);
  EXPECT_EQ(building.student, full.student);
  EXPECT_NE(building.student, trained("plain", {}).student);
}

// Bit for bit, although other pictures are computed beside them.
TEST_F(CachedRuns, ABatchWithMissingSamplesIsFilledIn) {
  const auto run = make_run(config({cached()}));
  Batch batch = run->loader->next().micro.at(0);
  batch.view = 0;
  Batch part;
  part.input = batch.input.narrow(0, 3, 5);
  part.sample_ids.assign(batch.sample_ids.begin() + 3, batch.sample_ids.begin() + 8);
  part.view = 0;
  teacher_forward(*run, part);
  EXPECT_EQ(run->teacher_cache->misses(), 5);
  const ModelOutput filled = teacher_forward(*run, batch);
  EXPECT_EQ(run->teacher_cache->misses(), batch.size());
  EXPECT_EQ(run->teacher_cache->hits(), 5);
  const ModelOutput kept = teacher_forward(*run, batch);
  EXPECT_EQ(run->teacher_cache->hits(), 5 + batch.size());
  batch.view = -1;
  const ModelOutput live = teacher_forward(*run, batch);
  for (const ModelOutput* output : {&filled, &kept}) {
    EXPECT_TRUE(at::equal(output->logits, live.logits));
    EXPECT_TRUE(at::equal(output->taps.at("layer3"), live.taps.at("layer3")));
  }
}

TEST_F(CachedRuns, AreRefusedWhereNothingComesTwice) {
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         make_run(config({cached(), "data.views=0"}));
                       }),
              HasSubstr("data.views"));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         make_run(config({cached(), "train.teacher_norm=batch"}));
                       }),
              HasSubstr("teacher_norm"));
}

}  // namespace
}  // namespace mgd
