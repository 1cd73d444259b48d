// Runs with a cache of the teacher's outputs, and without.
#include <ATen/ops/abs.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sub.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "flip_bit.h"
#include "mgd/data/resize.h"
#include "mgd/format/image.h"
#include "mgd/teach/cached_teacher.h"
#include "mgd/train/finish.h"
#include "mgd/train/preflight.h"
#include "mgd/train/step.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

using Options = std::vector<std::string>;

// A teacher that says what it was shown.
struct Echo final : Teacher {
  Record answer(const Batch& batch) override {
    return {.logits = batch.input.mean({1, 2, 3}),
            .nodes = {{"seen", {.data = batch.input, .axes = Axes::map}}}};
  }
};

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
  EXPECT_GT(building.run->teacher()->cache->hits(), 0);
  EXPECT_GT(building.run->teacher()->cache->misses(), 0);
  // 54 samples in batches of 12: six are left out of each epoch, and added after the second.
  EXPECT_THAT(building.notes.lines, Contains(HasSubstr("samples added that no batch had")));
  EXPECT_TRUE(building.run->teacher()->cache->complete());
  EXPECT_EQ(full.run->teacher()->cache->misses(), 0);
}

TEST_F(CachedRuns, ACompleteCacheNeedsNoTeacher) {
  const auto building = trained("building", {cached()});
  const FinalMeasures measured = measure_final(*building.run);
  const auto run = make_run(config({cached()}));
  fs::remove(folder.path() / "teacher/model.safetensors");  // it is hashed at the start, and never read again
  EXPECT_FALSE(run->teacher()->live->loaded());
  const Preflight seen = preflight(*run).at(0);
  EXPECT_GT(seen.teacher_accuracy, 0.5) << "as noted";
  EXPECT_GT(seen.samples, 0);
  toy::Notes notes;
  const TrainResult result =
      train(*run, RunFolder(folder / "full", RunFolder::Open::create), {}, notes.events());
  EXPECT_EQ(fingerprint_of(*run->student), building.student);
  const FinalMeasures noted = measure_final(*run);
  EXPECT_FALSE(run->teacher()->live->loaded()) << "from the first line to the last";
  EXPECT_EQ(noted.teacher().figures, measured.teacher().figures);
  EXPECT_EQ(noted.teacher().bytes, measured.teacher().bytes);
  EXPECT_EQ(noted.teacher().classes.samples, measured.teacher().classes.samples);
  const std::string summary = summary_json(*run, result, noted, "student");
  EXPECT_THAT(summary, HasSubstr("\"teacher_loaded\": false"));
  EXPECT_THAT(summary, HasSubstr("\"complete\": true"));
}

TEST_F(CachedRuns, ADamagedRecordBringsTheTeacherBack) {
  const auto building = trained("building", {cached()});
  flip_bit(folder / "t.cache", -100);
  const auto full = trained("full", {cached()});
  EXPECT_EQ(full.student, building.student);
  EXPECT_EQ(full.run->teacher()->cache->damaged(), 1);
  EXPECT_TRUE(full.run->teacher()->live->loaded());
  EXPECT_THAT(full.notes.lines, Contains(HasSubstr("1 records damaged")));
  EXPECT_EQ(trained("mended", {cached()}).run->teacher()->cache->damaged(), 0);
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
  teacher_answers(*run, part);
  EXPECT_EQ(run->teacher()->cache->misses(), 5);
  const Record filled = teacher_answers(*run, batch).front();
  EXPECT_EQ(run->teacher()->cache->misses(), batch.size());
  EXPECT_EQ(run->teacher()->cache->hits(), 5);
  const Record kept = teacher_answers(*run, batch).front();
  EXPECT_EQ(run->teacher()->cache->hits(), 5 + batch.size());
  batch.view = -1;
  const Record live = teacher_answers(*run, batch).front();
  for (const Record* output : {&filled, &kept}) {
    EXPECT_TRUE(at::equal(output->logits, live.logits));
    EXPECT_TRUE(at::equal(output->nodes.at("layer3").data, live.nodes.at("layer3").data));
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

// The same part of a picture of 48 x 60, seen at 8 x 8 and at 16 x 16.
TEST_F(CachedRuns, ATeacherOfAnotherSizeSeesTheSameParts) {
  toy::write_images(folder.path() / "images", 20, 2);
  for (const auto& entry : fs::recursive_directory_iterator(folder.path() / "images"))
    if (entry.is_regular_file())
      write_file_atomic(entry.path(), encode_png(resize(decode_image(read_file(entry.path()), 3),
                                                        {.height = 48, .width = 60}, Filter::bicubic)));
  const auto run = make_run(config({"data.image_size=8", "teacher.image_size=16", "losses=[{name: kd}]",
                                    "data.augment=[random_resized_crop: {min_scale: 0.1}, flip]"}));
  const Batch batch = run->loader->next().micro.at(0);  // in view 0
  const auto shown = run->task->show_to(std::make_unique<Echo>(), batch.size());
  const auto distance = [&](std::int64_t view) {
    Batch asked = batch;
    asked.view = view;
    const at::Tensor pictures = shown->answer(asked).nodes.at("seen").data;
    EXPECT_EQ(pictures.size(2), 16);
    return at::avg_pool2d(pictures, 2).sub(batch.input).abs().mean().item<double>();
  };
  EXPECT_LT(distance(0), 0.2 * distance(1));
}

TEST_F(CachedRuns, ATeacherOfAnotherSizeIsAskedOnceWithACache) {
  const Options larger{"teacher.image_size=16", "data.augment=[random_resized_crop, flip]",
                       "train.check_teacher=false",
                       "losses=[{name: cross_entropy}, {name: kd}, {name: mgd, resize: true}]"};
  Options kept = larger;
  kept.push_back(cached());
  const auto plain = trained("plain", larger), building = trained("building", kept),
             full = trained("full", kept);
  EXPECT_EQ(plain.student, building.student);
  EXPECT_EQ(plain.student, full.student);
  EXPECT_NE(plain.student, trained("smaller", {larger[1], larger[2], larger[3]}).student)
      << "the teacher says something else";
  EXPECT_EQ(plain.run->teacher()->facts.summary.node_infos().at("layer1").sizes[1], 16);
  EXPECT_EQ(plain.run->student_summary.node_infos().at("layer1").sizes[1], 8);
  EXPECT_GT(measure_final(*full.run).teacher().figures.size(), 0U);
}

TEST_F(CachedRuns, ATeacherOfAnotherSizeNeedsPartsThatCanBeShownToBoth) {
  const auto refusal = [&](const Options& extra) {
    return error_of(ExitCode::usage, [&] { make_run(config(extra)); });
  };
  EXPECT_THAT(refusal({"teacher.image_size=16"}), HasSubstr("`crop` counts in pixels"));
  EXPECT_THAT(refusal({"teacher.image_size=16", "data.augment=[cutout: 2]"}), HasSubstr("`cutout`"));
  EXPECT_THAT(refusal({"teacher.image_size=16", "data.augment=[flip]", "data.views=0"}),
              HasSubstr("data.views"));
  EXPECT_THAT(refusal({"student.image_size=16"}), HasSubstr("data.image_size"));
}

}  // namespace
}  // namespace mgd
