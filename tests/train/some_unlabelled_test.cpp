// Runs on pictures of which only some have labels.
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "mgd/train/labelled_part.h"
#include "mgd/train/preflight.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Names = std::vector<std::string>;

// Four pictures of each class with labels, the rest of the training part without.
Config some_labels(const toy::TempFolder& folder, const Names& more) {
  Names extra{toy::teacher(folder), "data.per_class=4", "data.unlabelled=" + folder / "images",
              "train.epochs=2", "losses=[cross_entropy, {name: kd, weight: 1}]"};
  extra.insert(extra.end(), more.begin(), more.end());
  return toy::config(folder, extra);
}

std::int64_t labelled_in(const StepBatches& batches) {
  std::int64_t count = 0;
  for (const Batch& batch : batches.micro) count += batch.target.ge(0).sum().item<std::int64_t>();
  return count;
}

TEST(SomeUnlabelled, LossesWithLabelsCountTheOnesThatHaveThem) {
  const toy::TempFolder folder;
  for (const char* micro : {"train.micro_batch_size=0", "train.micro_batch_size=3"}) {
    const auto run = make_run(some_labels(
        folder, {micro, "losses=[cross_entropy, {name: kd, weight: 1}, {name: dkd, label: d}, dist]"}));
    EXPECT_TRUE(run->task->labelled());
    EXPECT_THAT(describe_run(*run), Contains(HasSubstr("12 train and ")));
    bool mixed = false;
    for (int step = 0; step < 3; ++step) {
      const StepBatches batches = run->loader->next();
      std::int64_t samples = 0;
      for (const Batch& batch : batches.micro) samples += batch.size();
      const auto labelled = labelled_in(batches);
      mixed = mixed || (labelled > 0 && labelled < samples);
      const StepPlan plan = plan_step(*run, batches, step);
      EXPECT_THAT(plan.counts, ElementsAre(labelled, samples, labelled, samples));
      const StepResult result = forward_backward(*run, batches, step);
      EXPECT_EQ(result.labelled, labelled);
      EXPECT_LE(result.correct, labelled);
    }
    EXPECT_TRUE(mixed);
  }
}

// What the student answers does not depend on who has a label, so the loss of some is that of these alone.
TEST(SomeUnlabelled, TheLossIsThatOfTheLabelledOnesAlone) {
  const toy::TempFolder folder;
  const auto run = make_run(some_labels(folder, {"losses=[cross_entropy, {name: kd, weight: 0}]"}));
  StepBatches batches = run->loader->next();
  Batch& batch = batches.micro.at(0);
  for (std::int64_t i = 0; i < batch.size(); ++i) batch.target[i] = i % 3 == 1 ? i % 2 : -1;
  const StepPlan plan = plan_step(*run, batches, 0);
  const Record student = student_forward(*run, batch, 0, plan.node_keep.at(0));
  at::Tensor sum;
  for (std::int64_t i = 1; i < batch.size(); i += 3) {
    const at::Tensor one = -student.logits[i].log_softmax(0)[i % 2];
    sum = sum.defined() ? sum + one : one;
  }
  const StepResult result = forward_backward(*run, batches, 0);
  EXPECT_NEAR(result.parts.at("cross_entropy"), sum.item<double>() / plan.counts.at(0), 1e-5);
  batch.target.fill_(-1);
  const StepResult without = forward_backward(*run, batches, 1);
  EXPECT_FALSE(without.parts.contains("cross_entropy")) << "nothing to tell in this step";
  EXPECT_EQ(without.labelled, 0);
}

struct Reader final : Loss {
  const std::string& label() const override { return name; }
  double weight() const override { return 1; }
  std::vector<std::string> student_taps() const override { return {"map", "rows"}; }
  bool reads_targets() const override { return true; }
  double count(const CountInput& input) const override {
    return input.keep.sum().item<double>() + static_cast<double>(input.batch->size());
  }
  at::Tensor sum(const LossInput&) override { return {}; }
  std::string name = "reader";
};

TEST(SomeUnlabelled, EveryThingThatALossSeesIsCut) {
  Batch batch;
  batch.sample_ids = {7, 8, 9};
  batch.target = at::tensor({-1, 2, 0}, at::kLong);
  batch.target_type = TargetType::classes;
  Record student;
  student.logits = at::randn({3, 4});
  student.nodes["map"] = {.data = at::randn({3, 2, 2, 2}), .axes = Axes::map};
  student.nodes["rows"] = {.data = at::randn({6, 2}), .axes = Axes::rows, .offsets = {0, 1, 3, 6}};
  student.nodes["other"] = {.data = at::randn({3, 2}), .axes = Axes::vector};
  const at::Tensor keep = at::ones({3, 1, 2, 2}, at::kBool);
  const LossInput all{.batch = batch, .student = student, .teacher = {}, .keep = keep};
  const Places places = labelled_places(batch);
  ASSERT_TRUE(places.has_value());
  EXPECT_THAT(*places, ElementsAre(1, 2));
  const Reader loss;
  EXPECT_EQ(count_of(loss, batch, places, keep), 2 * 4 + 2);
  const SeenInput seen(loss, all, places);
  const LossInput part = seen.get();
  EXPECT_THAT(part.batch.sample_ids, ElementsAre(8, 9));
  EXPECT_TRUE(at::equal(part.batch.target, batch.target.slice(0, 1)));
  EXPECT_TRUE(at::equal(part.student.logits, student.logits.slice(0, 1)));
  EXPECT_TRUE(at::equal(part.student.nodes.at("map").data, student.nodes.at("map").data.slice(0, 1)));
  EXPECT_TRUE(at::equal(part.student.nodes.at("rows").data, student.nodes.at("rows").data.slice(0, 1)));
  EXPECT_THAT(part.student.nodes.at("rows").offsets, ElementsAre(0, 2, 5));
  EXPECT_FALSE(part.student.nodes.contains("other"));
  EXPECT_EQ(part.keep.size(0), 2);
  Batch whole = batch;
  whole.target = at::tensor({1, 2, 0}, at::kLong);
  EXPECT_THAT(*labelled_places(join_batches(std::vector{whole, batch})), ElementsAre(0, 1, 2, 4, 5));
}

TEST(SomeUnlabelled, OfTwoThatWereMixedBothHaveToHaveALabel) {
  Batch batch;
  batch.sample_ids = {0, 1, 2};
  batch.target = at::tensor({1, 1, -1}, at::kLong);
  batch.target_type = TargetType::classes;
  batch.target_probs = at::tensor({0.7, 0.3, 0.0, 0.7, 0.0, 0.3}, at::kFloat).view({3, 2});
  EXPECT_THAT(*labelled_places(batch), ElementsAre(0));
}

TEST(SomeUnlabelled, AResumedRunIsTheSame) {
  const toy::TempFolder folder;
  const Config config =
      some_labels(folder, {"data.augment=[{name: flip}]", "data.views=2", "train.schedule=constant",
                           "train.export_weights=last", "train.teacher_cache=" + folder / "kept.cache"});
  toy::expect_resumed_the_same(config, folder.path());
}

TEST(SomeUnlabelled, WhatLearnsNothingFromThemIsRefused) {
  const toy::TempFolder folder;
  EXPECT_THAT(
      error_of(ExitCode::usage, [&] { make_run(some_labels(folder, {"losses=[cross_entropy, dkd]"})); }),
      AllOf(HasSubstr("data.unlabelled"), HasSubstr("every loss of the recipe reads labels")));
  EXPECT_THAT(
      error_of(ExitCode::usage,
               [&] {
                 make_run(some_labels(folder, {"data.labels=none", "data.per_class=0", "losses=[kd]"}));
               }),
      AllOf(HasSubstr("data.unlabelled"), HasSubstr("have no labels either")));
}

TEST(SomeUnlabelled, TheTeacherIsJudgedByTheLabelledOnes) {
  const toy::TempFolder folder;
  const auto run = make_run(some_labels(folder, {}));
  for (const Preflight& check : preflight(*run)) {
    EXPECT_EQ(check.samples, 12);
    EXPECT_GT(check.teacher_accuracy, 0.5);
  }
}

}  // namespace
}  // namespace mgd
