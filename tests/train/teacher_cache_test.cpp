#include "mgd/train/teacher_cache.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "mgd/core/error.h"
#include "mgd/train/step.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TeacherCacheOptions options_in(const fs::path& folder, const std::string& identity = "teacher A") {
  return {.folder = folder,
          .identity = identity,
          .num_samples = 10,
          .num_views = 2,
          .tensors = {{"logits", {3}}, {"layer3", {2, 2, 2}}}};
}

ModelOutput output_for(std::int64_t batch) {
  ModelOutput output;
  output.logits = at::rand({batch, 3});
  output.taps["layer3"] = at::rand({batch, 2, 2, 2});
  return output;
}

TEST(TeacherCache, GivesBackWhatWasStoredAndNothingElse) {
  const toy::TempFolder folder;
  const ModelOutput stored = output_for(3);
  {
    TeacherCache cache(options_in(folder.path()));
    EXPECT_THAT(cache.load(1, {4, 7, 2}).missing, ElementsAre(0, 1, 2));
    cache.store(1, {4, 7, 2}, stored);
  }
  TeacherCache again(options_in(folder.path()));  // another process would see the same
  const auto loaded = again.load(1, {7});
  ASSERT_TRUE(loaded.missing.empty());
  EXPECT_TRUE(at::equal(loaded.output.logits[0], stored.logits[1]));
  EXPECT_TRUE(at::equal(loaded.output.taps.at("layer3")[0], stored.taps.at("layer3")[1]));
  EXPECT_THAT(again.load(0, {7}).missing, ElementsAre(0)) << "another view";
  const auto partial = again.load(1, {3, 7});
  EXPECT_THAT(partial.missing, ElementsAre(0));
  EXPECT_TRUE(at::equal(partial.output.logits[1], stored.logits[1]));
  TeacherCache other(options_in(folder.path(), "teacher B"));
  EXPECT_THAT(other.load(1, {7}).missing, ElementsAre(0)) << "another teacher";
}

TEST(TeacherCache, AFlippedBitIsFoundAndCounted) {
  const toy::TempFolder folder;
  TeacherCache cache(options_in(folder.path()));
  cache.store(0, {5}, output_for(1));
  ASSERT_TRUE(cache.load(0, {5}).missing.empty());
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (!entry.path().filename().string().starts_with("layer3")) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5 * (8 + 8 * 4) + 20);
    file.put('\x7f');
  }
  EXPECT_THAT(cache.load(0, {5}).missing, ElementsAre(0));
  EXPECT_EQ(cache.damaged(), 1);
}

TEST(TeacherCache, KeptOutputsThatTheTeacherNoLongerGivesAreRefused) {
  const toy::TempFolder folder;
  TeacherCache cache(options_in(folder.path()));
  const ModelOutput kept = output_for(2);
  ModelOutput live = kept;
  live.logits = kept.logits.add(1e-4);
  cache.verify(kept, live);
  EXPECT_TRUE(cache.verified());
  live.taps["layer3"] = kept.taps.at("layer3").flip(0);
  try {
    cache.verify(kept, live);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_data);
    EXPECT_THAT(error.what(), HasSubstr(folder.path().string()));
  }
}

TEST(TeacherCache, ARunWithItEqualsARunWithoutItByteForByte) {
  const toy::TempFolder folder;
  const std::vector<std::string> options{toy::teacher(folder),
                                         "losses=[{name: cross_entropy}, {name: kd}, {name: mgd}]",
                                         "data.augment=[crop: 1, flip]", "data.views=2", "train.epochs=5"};
  const auto trained = [&](const std::string& name, const std::vector<std::string>& extra) {
    auto all = options;
    all.insert(all.end(), extra.begin(), extra.end());
    const auto run = make_run(toy::config(folder, all));
    toy::Notes notes;
    const RunFolder run_folder(folder / name, RunFolder::Open::create);
    train(*run, run_folder, {}, notes.events());
    const std::int64_t hits = run->teacher_cache ? run->teacher_cache->hits() : 0;
    return std::pair{fingerprint_of(*run->student), hits};
  };
  const std::string cached = "train.teacher_cache=" + (folder / "cache");
  const auto plain = trained("plain", {}), building = trained("building", {cached}),
             full = trained("full", {cached});
  EXPECT_EQ(plain.first, building.first);
  EXPECT_EQ(plain.first, full.first);
  EXPECT_GT(building.second, 0);
  EXPECT_GT(full.second, building.second);
}

// Only what is missing of a batch is computed; the rest comes from the disk.
TEST(TeacherCache, ABatchWithMissingSamplesIsFilledIn) {
  const toy::TempFolder folder;
  const auto run =
      make_run(toy::config(folder, {toy::teacher(folder), "losses=[{name: kd}, {name: mgd}]", "data.views=1",
                                    "train.teacher_cache=" + (folder / "cache")}));
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
    EXPECT_TRUE(at::allclose(output->logits, live.logits, 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(output->taps.at("layer3"), live.taps.at("layer3"), 1e-4, 1e-5));
  }
}

TEST(TeacherCache, IsRefusedWhereNothingComesTwice) {
  const toy::TempFolder folder;
  try {
    make_run(toy::config(folder, {toy::teacher(folder), "losses=[{name: kd}]", "data.augment=[flip]",
                                  "train.teacher_cache=" + (folder / "c")}));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("data.views"));
  }
}

}  // namespace
}  // namespace mgd
