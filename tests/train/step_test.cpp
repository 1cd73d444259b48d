#include "mgd/train/step.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "mgd/core/error.h"
#include "mgd/loss/loss.h"
#include "mgd/train/preflight.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;

// Batch norm couples the samples of a micro-batch; with its statistics frozen a model is a pure function of
// each sample. The gradient of conv1 then must not depend on how the batch was cut.
StepBatches cut(const StepBatches& whole, const std::vector<std::int64_t>& sizes) {
  StepBatches parts;
  parts.epoch = whole.epoch;
  const Batch& all = whole.micro.at(0);
  std::int64_t start = 0;
  for (const auto size : sizes) {
    Batch part;
    part.input = all.input.narrow(0, start, size);
    part.target = all.target.narrow(0, start, size);
    part.sample_ids.assign(all.sample_ids.begin() + start, all.sample_ids.begin() + start + size);
    parts.micro.push_back(part);
    start += size;
  }
  return parts;
}

// The losses of one step over the given cut, with student outputs computed in eval mode.
std::pair<double, at::Tensor> eval_mode_step(Run& run, const StepBatches& batches) {
  for (auto& entry : run.trainable()) entry.tensor.mutable_grad().reset();
  const StepPlan plan = plan_step(run, batches, 5);
  StepResult result;
  for (std::size_t m = 0; m < batches.micro.size(); ++m) {
    const Batch& batch = batches.micro[m];
    Forward forward;
    for (const auto& active : run.losses)
      for (const auto& tap : active.loss->student_taps()) forward.capture(tap);
    const Record student = run.student->run(batch, forward);
    const at::Tensor loss = distill_loss(run, batch, student, teacher_forward(run, batch), plan.loss_keep[m],
                                         plan.counts, result);
    loss.backward();
    result.loss += loss.item<double>();
  }
  return {result.loss, run.student->parameters().at(0).tensor.grad().clone()};
}

TEST(Step, AccumulationIsExactForEveryLossAndMask) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  std::vector<std::string> entries;
  for (const auto& name : known_losses())
    if (!std::set<std::string>{"mgd", "cosine_similarity", "embedding", "minilm"}.contains(
            name))  // masks below; texts
      entries.push_back("{name: " + name + "}");
  for (const char* mask : {"channel", "spatial", "element", "block"})
    for (const char* on : {"all", "hidden"})
      entries.push_back(fmt::format("{{name: mgd, mask: {}, size: 2, mask_ratio: 0.4, on: {}}}", mask, on));
  for (const auto& entry : entries) {
    auto run = make_run(toy::config(folder, {teacher, "losses=[" + entry + "]"}));
    const StepBatches whole = run->loader->next();
    const auto [loss, gradient] = eval_mode_step(*run, whole);
    ASSERT_TRUE(std::isfinite(loss)) << entry;
    for (const auto& sizes : {std::vector<std::int64_t>{3, 3, 3, 3}, std::vector<std::int64_t>{1, 9, 2}}) {
      const auto [cut_loss, cut_gradient] = eval_mode_step(*run, cut(whole, sizes));
      EXPECT_NEAR(cut_loss, loss, 1e-5 * std::abs(loss)) << entry;
      EXPECT_TRUE(at::allclose(cut_gradient, gradient, 1e-4, 1e-6)) << entry;
    }
  }
}

// 27 samples are cut into slices of 16 at least; each sample's answer is its own.
TEST(Step, TheTeacherAnswersInSlicesWhatItAnswersAtOnce) {
  const toy::TempFolder folder;
  const auto run = make_run(
      toy::config(folder, {toy::teacher(folder), "losses=[{name: kd}, {name: mgd}]", "train.batch_size=27"}));
  const Batch batch = run->loader->next().micro.at(0);
  run->teacher_summary.nodes.front().shape = {1
                                              << 24};  // as if a node were so large that the fewest are taken
  const Record output = teacher_forward(*run, batch);
  const at::NoGradGuard no_grad;
  Forward whole;
  whole.capture("layer3");
  const at::Tensor logits = run->teacher->run(batch, whole).logits;
  EXPECT_TRUE(at::allclose(output.logits, logits, 1e-4, 1e-5));
  ASSERT_EQ(output.nodes.size(), 1U);
  EXPECT_TRUE(at::allclose(output.nodes.at("layer3").data, whole.captured().at("layer3"), 1e-4, 1e-5));
}

TEST(Step, DropoutFollowsTheStepAndSparesEvaluation) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(folder, {"student={model: mobilenet_v2, width: 0.125}"}));
  const Batch batch = run->loader->next().micro.at(0);
  const auto logits = [&](std::int64_t step) { return student_forward(*run, batch, step, {}).logits; };
  const at::Tensor first = logits(0);
  EXPECT_TRUE(at::equal(first, logits(0)));
  EXPECT_FALSE(at::allclose(first, logits(1), 1e-3, 1e-3));
  Forward eval;
  const at::Tensor without = run->student->run(batch, eval).logits;
  EXPECT_TRUE(at::equal(without, run->student->run(batch, eval).logits));
}

// A language model's targets are not its samples.
TEST(Step, LossesAreToldTheTargetsOfAllMicroBatches) {
  class Counting final : public Loss {
   public:
    const std::string& label() const override { return label_; }
    double weight() const override { return 1; }
    double count(const CountInput& input) const override { return static_cast<double>(input.num_targets); }
    at::Tensor sum(const LossInput&) override { return {}; }

   private:
    std::string label_ = "counting";
  };
  mgd::Run run;
  run.losses.push_back({.loss = std::make_unique<Counting>(), .mask = {}});
  StepBatches batches;
  for (const std::int64_t targets : {5, 0, 2}) {
    Batch batch;
    batch.sample_ids = {0, 1, 2};
    batch.target = at::zeros({targets}, at::kLong);
    batches.micro.push_back(batch);
  }
  batches.micro.emplace_back().sample_ids = {3};  // no target at all
  EXPECT_EQ(plan_step(run, batches, 0).counts, std::vector<double>{7});
}

// masks.md line 23.
TEST(MaskContract, Line23_NodesAreHiddenFromTheStudentInTrainingOnly) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(folder, {toy::teacher(folder), "losses=[{name: kd}]",
                                                 "masks=[{node: input, mask: block, size: 2, mask_ratio: "
                                                 "0.5}, {node: layer1, mask: channel, mask_ratio: 0.5}]"}));
  ASSERT_EQ(run->node_masks.size(), 2U);
  const StepBatches batches = run->loader->next();
  Batch batch = batches.micro.at(0);
  const StepPlan plan = plan_step(*run, batches, 0);
  const at::Tensor keep = plan.node_keep[0][0];
  EXPECT_LT(keep.sum().item<std::int64_t>(), keep.numel());

  // NaN planted where the student may not look does not reach it; the teacher sees everything, so it does
  // reach the teacher.
  const at::Tensor clean = student_forward(*run, batch, 0, plan.node_keep[0]).logits;
  batch.input = batch.input.masked_fill(keep.logical_not(), std::numeric_limits<float>::quiet_NaN());
  const at::Tensor planted = student_forward(*run, batch, 0, plan.node_keep[0]).logits;
  EXPECT_TRUE(at::allclose(clean, planted, 1e-5, 1e-6));
  EXPECT_TRUE(teacher_forward(*run, batch).logits.isnan().any().item<bool>());

  // Evaluation knows nothing of the masks.
  Forward forward;
  EXPECT_TRUE(run->student->run(batch, forward).logits.isnan().any().item<bool>());

  // Another step, another mask; the same step, the same mask.
  EXPECT_FALSE(at::equal(plan_step(*run, batches, 1).node_keep[0][0], keep));
  EXPECT_TRUE(at::equal(plan_step(*run, batches, 0).node_keep[0][0], keep));
}

TEST(MaskContract, Line23_ALearnedFillTrainsWithTheStudent) {
  const toy::TempFolder folder;
  const auto run = make_run(
      toy::config(folder, {"masks=[{node: layer2, mask: spatial, mask_ratio: 0.5, fill: learned}]"}));
  forward_backward(*run, run->loader->next(), 0);
  bool found = false;
  for (const auto& entry : run->trainable()) {
    if (entry.name.find("fill") == std::string::npos) continue;
    found = true;
    ASSERT_TRUE(entry.tensor.grad().defined());
    EXPECT_GT(entry.tensor.grad().abs().sum().item<double>(), 0.0);
  }
  EXPECT_TRUE(found);
}

TEST(MakeRun, WrongNamesAndShapesAreErrorsThatHelp) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  const auto message = [&](std::vector<std::string> options) -> std::string {
    try {
      make_run(toy::config(folder, options));
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ExitCode::usage || error.code() == ExitCode::missing_input) << error.what();
      return error.what();
    }
    return "(accepted)";
  };
  EXPECT_THAT(message({"student.model=cifar_resnet9"}), HasSubstr("cifar_resnet8"));
  EXPECT_THAT(message({teacher, "losses=[{name: mdg}]"}), HasSubstr("'mgd'"));
  EXPECT_THAT(message({teacher, "losses=[{name: mgd, student_tap: layr3}]"}), HasSubstr("'layer3'"));
  EXPECT_THAT(message({teacher, "losses=[{name: mgd, mask: chanel}]"}), HasSubstr("'channel'"));
  EXPECT_THAT(message({"masks=[{node: inptu, mask: block}]"}), HasSubstr("'input'"));
  EXPECT_THAT(message({"losses=[{name: kd}]"}), HasSubstr("teacher"));
  EXPECT_THAT(message({"data.augment=[filp]"}), HasSubstr("'flip'"));
  EXPECT_THAT(message({"data.train=trian"}), HasSubstr("'train'"));
  const std::string sizes =
      message({teacher, "losses=[{name: mgd, student_tap: layer3, teacher_tap: layer2}]"});
  EXPECT_THAT(sizes, HasSubstr("layer3"));
  EXPECT_THAT(sizes, HasSubstr("layer2"));
  EXPECT_THAT(message({"train.batch_size=1000"}), HasSubstr("only 54 training images"));
}

// The teacher's folder says 8 x 8: what counts is the size of the run.
TEST(Step, TapsHaveTheSizeOfTheRun) {
  const toy::TempFolder folder;
  const auto run =
      make_run(toy::config(folder, {toy::teacher(folder), "losses=[{name: mgd}]", "data.image_size=16"}));
  EXPECT_EQ(run->teacher_summary.node_infos().at("layer3").sizes, (std::vector<std::int64_t>{32, 4, 4}));
  EXPECT_GT(forward_backward(*run, run->loader->next(), 0).loss, 0);
}

TEST(Preflight, AnUntrainedOrBrokenTeacherIsRefused) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  const std::vector<std::string> options{teacher, "losses=[{name: kd}]"};
  auto run = make_run(toy::config(folder, options));
  EXPECT_GT(preflight(*run).teacher_accuracy, 0.6);

  const auto refusal = [](mgd::Run& r) -> std::string {
    try {
      preflight(r);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      return error.what();
    }
    return "(accepted)";
  };
  {
    at::NoGradGuard no_grad;
    for (auto& entry : run->teacher->parameters()) entry.tensor.zero_();
  }
  EXPECT_THAT(refusal(*run), HasSubstr("looks untrained"));
  {
    at::NoGradGuard no_grad;
    for (auto& entry : run->teacher->parameters()) entry.tensor.fill_(std::numeric_limits<float>::infinity());
  }
  EXPECT_THAT(refusal(*run), HasSubstr("NaN or infinity"));
  run->config.train.check_teacher = false;
  EXPECT_THAT(refusal(*run), HasSubstr("NaN or infinity"));
}

}  // namespace
}  // namespace mgd
