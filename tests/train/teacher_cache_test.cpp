#include "mgd/teach/teacher_cache.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "expect_error.h"
#include "flip_bit.h"
#include "mgd/core/clock.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TeacherCacheOptions options_in(const fs::path& path, const std::string& teacher = "teacher A") {
  return {.config = {.path = path.string()},
          .facts = {{"teacher", teacher}, {"data", "pictures"}},
          .num_samples = 10,
          .num_views = 2,
          .kept = {.num_classes = 3, .taps = {{"layer3", {.axes = Axes::map, .sizes = {2, 2, 2}}}}}};
}

Batch batch_of(std::int64_t view, std::vector<std::int64_t> ids) {
  Batch batch;
  batch.input = at::rand({static_cast<std::int64_t>(ids.size()), 3, 4, 4});
  batch.sample_ids = std::move(ids);
  batch.view = view;
  return batch;
}

Record output_for(std::int64_t batch) {
  Record output;
  output.logits = at::rand({batch, 3});
  output.nodes["layer3"] = {.data = at::rand({batch, 2, 2, 2}), .axes = Axes::map};
  return output;
}

// The teacher says `live` of the whole batch; what the student gets.
Record keep(TeacherCache& cache, const Batch& batch, const Record& live) {
  TeacherCache::Lookup lookup = cache.look_up(batch);
  EXPECT_EQ(lookup.missing.size(), batch.sample_ids.size());
  cache.fill_in(batch, lookup, batch, live);
  return lookup.output;
}

bool same(const Record& a, const Record& b) {
  return at::equal(a.logits, b.logits) && at::equal(a.nodes.at("layer3").data, b.nodes.at("layer3").data);
}

TEST(TeacherCache, GivesBackWhatWasStoredAndNothingElse) {
  const toy::TempFolder folder;
  const Batch batch = batch_of(1, {4, 7, 2});
  const Record live = output_for(3);
  {
    TeacherCache cache(options_in(folder.path()));
    EXPECT_TRUE(same(keep(cache, batch, live), live));
    EXPECT_EQ(cache.misses(), 3);
  }
  TeacherCache again(options_in(folder.path()));  // another process would see the same
  const auto found = again.look_up(batch);
  EXPECT_TRUE(found.missing.empty());
  EXPECT_TRUE(same(found.output, live));
  EXPECT_EQ(again.hits(), 3);
  Batch other = batch;
  other.view = 0;
  EXPECT_THAT(again.look_up(other).missing, ElementsAre(0, 1, 2)) << "another view";
  other.view = 1;
  other.sample_ids = {4, 5, 2};
  EXPECT_THAT(again.look_up(other).missing, ElementsAre(1)) << "another sample";
  EXPECT_FALSE(again.complete());
  EXPECT_THAT(again.missing_samples(1), ElementsAre(0, 1, 3, 5, 6, 8, 9));
  TeacherCache second(options_in(folder.path(), "teacher B"));
  EXPECT_THAT(second.look_up(batch).missing, ElementsAre(0, 1, 2)) << "another teacher has a file of its own";
}

// A changed decoder or augmentation shows in no fact, but in the picture.
TEST(TeacherCache, AnotherPictureOfTheSameSampleIsComputedAgain) {
  const toy::TempFolder folder;
  TeacherCache cache(options_in(folder.path()));
  const Batch batch = batch_of(0, {1, 2});
  keep(cache, batch, output_for(2));
  Batch changed = batch;
  changed.input = batch.input.clone();
  changed.input[1][2][3][3] += 1e-6;
  EXPECT_THAT(cache.look_up(changed).missing, ElementsAre(1));
  EXPECT_EQ(cache.stale(), 1);
  EXPECT_EQ(cache.damaged(), 0);
  changed.input = batch.input.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(cache.look_up(changed).missing.empty()) << "the order in memory is not the picture";
}

TEST(TeacherCache, AFlippedBitIsFoundCountedAndMended) {
  const toy::TempFolder folder;
  const fs::path path = folder / "t.cache";
  TeacherCache cache(options_in(path));
  const Batch batch = batch_of(1, {9, 8});  // the last records of the file
  const Record live = output_for(2);
  keep(cache, batch, live);
  flip_bit(path, -20);
  auto lookup = cache.look_up(batch);
  EXPECT_THAT(lookup.missing, ElementsAre(0));
  EXPECT_EQ(cache.damaged(), 1);
  cache.fill_in(batch, lookup, select_samples(batch, lookup.missing),
                {.logits = live.logits.narrow(0, 0, 1),
                 .nodes = {{"layer3", {.data = live.nodes.at("layer3").data.narrow(0, 0, 1)}}}});
  EXPECT_TRUE(same(lookup.output, live));
  EXPECT_TRUE(cache.look_up(batch).missing.empty());
}

TEST(TeacherCache, ATruncatedFileIsNamedAndKeepsItsRest) {
  const toy::TempFolder folder;
  const fs::path path = folder / "t.cache";
  const Batch first = batch_of(0, {0, 1}), last = batch_of(1, {9});
  {
    TeacherCache cache(options_in(path));
    keep(cache, first, output_for(2));
    keep(cache, last, output_for(1));
  }
  const auto whole = fs::file_size(path);
  fs::resize_file(path, whole - 10);
  {
    TeacherCache cache(options_in(path));
    EXPECT_THAT(cache.damage(), HasSubstr(fmt::format("cut short: {} of {} bytes", whole - 10, whole)));
    EXPECT_TRUE(cache.look_up(first).missing.empty());
    EXPECT_THAT(cache.look_up(last).missing, ElementsAre(0));
  }
  fs::resize_file(path, 30);  // within the head
  TeacherCache cache(options_in(path));
  EXPECT_THAT(cache.damage(), HasSubstr("its head is damaged"));
  keep(cache, first, output_for(2));
  EXPECT_EQ(fs::file_size(path), whole);
}

TEST(TeacherCache, AFileOfAnotherTeacherIsRefusedWithTheDifference) {
  const toy::TempFolder folder;
  const fs::path path = folder / "t.cache";
  TeacherCache(options_in(path)).create();
  const std::string text = read_file(path);
  const std::string message = error_of(ExitCode::usage, [&] { TeacherCache(options_in(path, "teacher B")); });
  EXPECT_THAT(message, HasSubstr(path.string()));
  EXPECT_THAT(message, HasSubstr("\n  teacher: was teacher A, is teacher B\n"));
  EXPECT_THAT(message, Not(HasSubstr("pictures"))) << "what is the same";
  TeacherCacheOptions coarse = options_in(path);
  coarse.config.features = "int8";
  EXPECT_THAT(error_of(ExitCode::usage, [&] { TeacherCache{coarse}; }),
              HasSubstr("encoding: was fp32 features, all logits, is int8 features, all logits"));
  EXPECT_EQ(read_file(path), text);
  std::ofstream(folder / "poem.cache") << "a poem";
  error_of(ExitCode::bad_data, [&] { TeacherCache(options_in(folder / "poem.cache")); });
  std::ofstream(folder / "poem") << "a poem";
  EXPECT_THAT(error_of(ExitCode::usage, [&] { TeacherCache(options_in(folder / "poem")); }),
              HasSubstr("expected a folder, or a file NAME.cache"));
}

TEST(TeacherCache, ItsSizeIsKnownAndBoundedBeforehand) {
  const toy::TempFolder folder;
  TeacherCacheOptions options = options_in(folder / "t.cache");
  options.num_samples = 45'000;
  options.kept.taps = {{"layer3", {.axes = Axes::map, .sizes = {64, 8, 8}}}};
  options.config.limit_mb = 1000;
  const std::string message = error_of(ExitCode::usage, [&] { TeacherCache{options}; });
  EXPECT_THAT(message, HasSubstr("1.4 GiB needed for 45000 samples x 2 views"));
  EXPECT_THAT(message, HasSubstr("limit_mb allows 1000.0 MiB"));
  EXPECT_THAT(message, HasSubstr("bf16 (705.9"));
  EXPECT_THAT(message, HasSubstr("int8 (376.3"));
  options.config.features = "bf16";
  const TeacherCache cache(options);
  EXPECT_THAT(cache.describe(),
              HasSubstr("705.9 MiB, 45000 samples x 2 views, bf16 features, all logits; 0 of 90000"));
  EXPECT_FALSE(fs::exists(folder / "t.cache")) << "nothing is written yet";
  options.num_samples = std::int64_t{1} << 40;
  options.config.limit_mb = std::int64_t{1} << 40;
  EXPECT_THAT(error_of(ExitCode::io, [&] { TeacherCache(options).create(); }), HasSubstr("free: disk full"));
  EXPECT_TRUE(fs::is_empty(folder.path())) << "nothing is left";
}

// Whether the teacher ran just now or long ago, the student gets the same.
TEST(TeacherCache, CoarseEncodingsGiveTheSameWhenFilledAndWhenFound) {
  const toy::TempFolder folder;
  for (const char* features : {"fp32", "bf16", "int8"})
    for (const std::int64_t top_k : {0, 1}) {
      TeacherCacheOptions options = options_in(folder.path());
      options.config.features = features;
      options.config.top_k = top_k;
      TeacherCache cache(options);
      const Batch batch = batch_of(0, {3, 4});
      const Record live = output_for(2), kept = keep(cache, batch, live);
      EXPECT_TRUE(same(cache.look_up(batch).output, kept)) << features << top_k;
      EXPECT_EQ(same(kept, live), cache.exact()) << features << top_k;
      EXPECT_TRUE(kept.nodes.at("layer3").data.allclose(live.nodes.at("layer3").data, 0, 1.0 / 254))
          << features;
    }
  TeacherCacheOptions options = options_in(folder.path());
  options.config.top_k = 3;
  EXPECT_THAT(error_of(ExitCode::usage, [&] { TeacherCache{options}; }),
              HasSubstr("less than the 3 classes"));
}

TEST(TeacherCache, ANoteWaitsForItsFile) {
  const toy::TempFolder folder;
  TeacherCache cache(options_in(folder.path()));
  cache.set_note("known");
  EXPECT_EQ(cache.note(), "known");
  cache.create();
  EXPECT_EQ(TeacherCache(options_in(folder.path())).note(), "known");
}

// By hand: test_train --gtest_also_run_disabled_tests --gtest_filter='*TeacherCache*Speed*'
TEST(TeacherCache, DISABLED_SpeedOfALookup) {
  const toy::TempFolder folder;
  for (const char* features : {"fp32", "bf16", "int8"}) {
    TeacherCacheOptions options = options_in(folder.path());
    options.config.features = features;
    options.num_samples = 10'240;
    options.kept.taps = {{"layer3", {.axes = Axes::map, .sizes = {64, 8, 8}}}};
    TeacherCache cache(options);
    const auto batch_at = [](std::int64_t first) {
      std::vector<std::int64_t> ids;
      for (std::int64_t i = 0; i < 128; ++i) ids.push_back((first + i) * 7919 % 10'240);
      Batch batch = batch_of(0, ids);
      batch.input = at::ones({128, 3, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast);
      return batch;
    };
    Record live{.logits = at::rand({128, 3}), .nodes = {{"layer3", {.data = at::rand({128, 64, 8, 8})}}}};
    double seconds[2] = {0, 0};
    for (int pass = 0; pass < 2; ++pass)
      for (std::int64_t first = 0; first < options.num_samples; first += 128) {
        const Batch batch = batch_at(first);
        const double start = now_seconds();
        auto lookup = cache.look_up(batch);
        if (!lookup.missing.empty()) cache.fill_in(batch, lookup, batch, live);
        seconds[pass] += now_seconds() - start;
      }
    fmt::print("{}: {} bytes a record; filled in {:.1f} us a sample, found in {:.1f} us\n", features,
               cache.bytes() / 20'480, 1e6 * seconds[0] / 10'240, 1e6 * seconds[1] / 10'240);
    EXPECT_EQ(cache.hits(), 10'240);
  }
}

}  // namespace
}  // namespace mgd
