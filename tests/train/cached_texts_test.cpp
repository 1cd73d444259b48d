// Text runs with a cache of the teacher's outputs, and without.
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "expect_error.h"
#include "mgd/train/finish.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;
using Options = std::vector<std::string>;

constexpr int kVocabulary = 91;  // of the toy texts

// What a task's runs look like: its losses, and what makes its samples come twice.
struct Case {
  const char* task;
  Options extra;
  bool top_k;
};

const Case kCases[] = {
    {"embed", {"losses=[embedding, {name: mgd, mask_ratio: 0.4}, {name: minilm, relation_heads: 2}]"}, false},
    {"classify", {"losses=[cross_entropy, kd, mimic]", "train.check_teacher=false"}, false},
    // So few are hidden that of some texts nothing is.
    {"mlm",
     {"losses=[cross_entropy, {name: kd, temperature: 2}]", "objective.variants=2",
      "objective.mask_ratio=0.08"},
     true},
    {"clm", {"losses=[{name: kd, temperature: 1}]", "text.samples=blocks", "objective.variants=2"}, true},
    {"denoise", {"losses=[cross_entropy, kd]", "objective.variants=1"}, true},
};

class CachedTexts : public testing::TestWithParam<Case> {
 protected:
  std::string teacher() const {
    const std::string path = folder / "teacher";
    if (!fs::exists(path)) {
      const auto run = make_run(toy::text_config(folder, GetParam().task, {"student.hidden_size=32"}));
      train(*run, RunFolder(folder / "teacher-run", RunFolder::Open::create), {}, {});
      export_student(*run, path);
    }
    return "teacher.path=" + path;
  }
  Config config(const Options& extra) const {
    Options all = GetParam().extra;
    all.push_back(teacher());
    all.insert(all.end(), extra.begin(), extra.end());
    return toy::text_config(folder, GetParam().task, all);
  }
  std::string cached(const std::string& more = "") const {
    const std::string k = GetParam().top_k ? ", top_k: 5" : "";
    return "train.teacher_cache={path: " + (folder / "t.cache") + k + more + "}";
  }

  const toy::TempFolder folder;
};

TEST_P(CachedTexts, ACompleteCacheGivesTheStudentOfTheRunThatFilledIt) {
  const auto filled = toy::train_all(config({cached(), "train.epochs=3"}), folder / "filling");
  const auto run = make_run(config({cached(), "train.epochs=3"}));
  EXPECT_TRUE(run->teacher()->cache->complete());
  // Nobody has looked yet whether a classifier is trained.
  EXPECT_EQ(run->teacher()->live->loaded(), run->task->num_classes() > 0);
  const RunFolder place(folder / "full", RunFolder::Open::create);
  train(*run, place, {}, {});
  EXPECT_EQ(run->teacher()->cache->misses(), 0);
  EXPECT_EQ(run->teacher()->cache->stale(), 0);
  toy::expect_equal(toy::outcome_of(*run, folder.path() / "full"), filled);
}

TEST_P(CachedTexts, AStoppedRunGoesOnToTheSameStudent) {
  const Options coarse{cached(", features: bf16"), "train.schedule=constant", "train.export_weights=last"};
  const Config full = config(coarse);
  {
    const auto run = make_run(full);
    TrainRequests requests;
    const RunFolder place(folder / "parts", RunFolder::Open::create);
    train(*run, place, {.requests = &requests}, {.progress = [&](const Progress& progress) {
      if (progress.step == 7) requests.stop();  // in mid-epoch
    }});
  }
  const auto resumed = toy::train_all(full, folder / "parts", RunFolder::Open::resume);
  fs::remove(folder.path() / "t.cache");
  EXPECT_EQ(toy::train_all(full, folder / "straight").weights, resumed.weights);
}

// In float32 nothing is lost but the rest of a vocabulary, and with all of it nothing at all.
TEST_P(CachedTexts, SayWhatTheTeacherSays) {
  const std::string all = "train.teacher_cache={path: " + (folder / "all.cache") +
                          (GetParam().top_k ? ", top_k: " + std::to_string(kVocabulary) : "") + "}";
  const auto plain = make_run(config({})), kept = make_run(config({all}));
  for (int time = 0; time < 2; ++time) {
    plain->loader->seek(0, 1);
    kept->loader->seek(0, 1);
    const double live = forward_backward(*plain, plain->loader->next(), 1).loss;
    EXPECT_NEAR(forward_backward(*kept, kept->loader->next(), 1).loss, live,
                1e-6 * std::max(1.0, std::abs(live)));
  }
  EXPECT_GT(kept->teacher()->cache->hits(), 0);
}

TEST_P(CachedTexts, AChangedTextIsAskedAboutAgain) {
  toy::train_all(config({cached()}), folder / "filling");
  const auto run = make_run(config({cached()}));
  Batch batch = run->loader->next().micro.at(0);
  batch.view = 0;
  batch.tokens.ids = batch.tokens.ids.clone();
  batch.tokens.ids[3] = 7 + (batch.tokens.ids[3].item<std::int64_t>() == 7 ? 1 : 0);
  teacher_answers(*run, batch);
  EXPECT_EQ(run->teacher()->cache->stale(), 1);
  EXPECT_EQ(run->teacher()->cache->hits(), batch.size() - 1);
}

INSTANTIATE_TEST_SUITE_P(Tasks, CachedTexts, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.task); });

// Samples of a batch, picked one by one and joined, are the batch.
TEST_P(CachedTexts, BatchesAreCutAndJoined) {
  const auto run = make_run(config({}));
  const Batch batch = run->loader->next().micro.at(0);
  std::vector<Batch> parts;
  for (std::int64_t i = 0; i < batch.size(); ++i) parts.push_back(select_samples(batch, std::vector{i}));
  const Batch joined = join_batches(parts);
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.defined() == b.defined() && (!a.defined() || at::equal(a, b));
  };
  EXPECT_EQ(joined.sample_ids, batch.sample_ids);
  EXPECT_EQ(joined.sequence_ids, batch.sequence_ids);
  for (auto tokens : {&Batch::tokens, &Batch::decoder_tokens}) {
    EXPECT_EQ((joined.*tokens).offsets, (batch.*tokens).offsets);
    for (auto part : {&PackedTokens::ids, &PackedTokens::positions, &PackedTokens::type_ids})
      EXPECT_TRUE(same(joined.*tokens.*part, batch.*tokens.*part));
  }
  EXPECT_TRUE(same(joined.target, batch.target));
  EXPECT_TRUE(same(joined.target_rows, batch.target_rows));
  std::vector<std::int64_t> backwards;
  for (std::int64_t i = batch.size(); i-- > 0;) backwards.push_back(i);
  const Batch twice = select_samples(select_samples(batch, backwards), backwards);
  EXPECT_TRUE(same(twice.tokens.ids, batch.tokens.ids));
  EXPECT_TRUE(same(twice.target, batch.target));
}

TEST(CachedTextsRefused, WhereNothingComesTwice) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::text_config(folder, "mlm", {}));
  export_student(*run, folder / "teacher");
  const auto refusal = [&](const Options& extra) {
    Options all{"teacher.path=" + folder / "teacher", "losses=[kd]",
                "train.teacher_cache.path=" + folder / "t.cache"};
    all.insert(all.end(), extra.begin(), extra.end());
    return error_of(ExitCode::usage, [&] { make_run(toy::text_config(folder, "mlm", all)); });
  };
  EXPECT_THAT(refusal({"train.teacher_cache.top_k=4"}), HasSubstr("set objective.variants"));
  EXPECT_THAT(refusal({"objective.variants=2"}),
              HasSubstr("train.teacher_cache.top_k: got 0, expected 1 ... "));
  EXPECT_THAT(refusal({"objective.variants=2", "train.teacher_cache.top_k=4",
                       "losses=[kd, {name: kd, label: b}]", "losses.1.temperature=2"}),
              testing::AnyOf(HasSubstr("temperatures"), HasSubstr("label")));
}

}  // namespace
}  // namespace mgd
