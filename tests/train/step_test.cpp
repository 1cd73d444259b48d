#include "mgd/train/step.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/max.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "mgd/core/error.h"
#include "mgd/loss/loss.h"
#include "mgd/teach/sliced_teacher.h"
#include "mgd/train/preflight.h"
#include "mgd/train/survey.h"
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

struct Updates {
  double loss = 0;
  std::map<std::string, at::Tensor> gradients;  // of everything that trains
};

Updates updates_of(Run& run, double loss) {
  Updates updates{.loss = loss, .gradients = {}};
  for (auto& entry : run.trainable()) {
    if (entry.tensor.grad().defined()) updates.gradients[entry.name] = entry.tensor.grad().clone();
    entry.tensor.mutable_grad().reset();
  }
  return updates;
}

// The losses of one step over the given cut, with student outputs computed in eval mode.
Updates eval_mode_step(Run& run, const StepBatches& batches) {
  const StepPlan plan = plan_step(run, batches, 5);
  StepResult result;
  std::vector<StepOutput> outputs;
  at::Tensor total;
  const auto add = [&](const at::Tensor& loss) {
    if (loss.defined()) total = total.defined() ? total + loss : loss;
  };
  for (std::size_t m = 0; m < batches.micro.size(); ++m) {
    StepOutput output;
    output.batch = batches.micro[m];
    Forward forward;
    for (const auto& active : run.losses)
      for (const auto& tap : active.loss->student_taps()) forward.capture(tap);
    output.student = run.student->run(output.batch, forward);
    output.teachers = teacher_answers(run, output.batch);
    add(distill_loss(run, plan, m, output, result));
    outputs.push_back(output);
  }
  if (joins_micro_batches(run, outputs.size())) add(joined_loss(run, plan, outputs, result));
  total.backward();
  return updates_of(run, total.item<double>());
}

// Each tensor relative to its largest value.
void expect_same(const Updates& got, const Updates& expected, double tolerance, const std::string& what) {
  EXPECT_NEAR(got.loss, expected.loss, tolerance * std::abs(expected.loss)) << what;
  ASSERT_EQ(got.gradients.size(), expected.gradients.size()) << what;
  for (const auto& [name, gradient] : expected.gradients) {
    const double scale = gradient.abs().max().item<double>();
    EXPECT_LE((got.gradients.at(name) - gradient).abs().max().item<double>(), tolerance * scale + 1e-9)
        << what << " " << name;
  }
}

const char* kPkd = "{name: pkd, student_tap: layer3, teacher_tap: layer2, resize: true}";  // 16 channels both

// Where a loss needs samples of earlier steps to have anything to say.
void remember_a_step(Run& run) {
  Loss& loss = *run.losses.front().loss;
  if (!loss.remembers()) return;
  forward_backward(run, run.loader->next(), 0);
  updates_of(run, 0);
  loss.end_step();
}

TEST(Step, AccumulationIsExactForEveryLossAndMask) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  std::vector<std::string> entries;
  // Batch norm in the blocks of `review` couples samples, as in the student.
  for (const auto& name : known_losses())
    if (!std::set<std::string>{"mgd", "cosine_similarity", "embedding", "minilm", "review", "tinybert"}
             .contains(name))  // masks below; texts
      entries.push_back(name == "pkd" ? kPkd : "{name: " + name + "}");
  for (const char* mask : {"channel", "spatial", "element", "block", "student", "teacher"})
    for (const char* on : {"all", "hidden"})
      entries.push_back(fmt::format("{{name: mgd, mask: {}{}, mask_ratio: 0.4, on: {}}}", mask,
                                    std::string(mask) == "block" ? ", size: 2" : "", on));
  entries.emplace_back("{name: mgd, mask: student, mask_ratio: 0.5, on: hidden, target: standardized}");
  for (const auto& entry : entries) {
    auto run = make_run(toy::config(folder, {teacher, "losses=[" + entry + "]"}));
    survey_teachers(*run);
    remember_a_step(*run);
    const StepBatches whole = run->loader->next();
    const Updates expected = eval_mode_step(*run, whole);
    ASSERT_TRUE(std::isfinite(expected.loss)) << entry;
    for (const auto& sizes : {std::vector<std::int64_t>{3, 3, 3, 3}, std::vector<std::int64_t>{1, 9, 2}})
      expect_same(eval_mode_step(*run, cut(whole, sizes)), expected, 1e-4, entry);
  }
}

TEST(Step, LossesThatRelateSamplesSeeAllMicroBatches) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  for (const std::string& entry : {std::string("{name: rkd}"), std::string("{name: dist, temperature: 2}"),
                                   std::string(kPkd), std::string("{name: mgd, target: standardized}")}) {
    auto run = make_run(toy::config(
        folder, {teacher, "losses=[{name: cross_entropy}, " + entry + "]", "train.batch_size=32"}));
    const StepBatches whole = run->loader->next();
    const Updates expected = eval_mode_step(*run, whole);
    const std::vector<std::int64_t> eights(4, 8), ones(32, 1);
    expect_same(eval_mode_step(*run, cut(whole, eights)), expected, 1e-5, entry + " by 8");
    expect_same(eval_mode_step(*run, cut(whole, ones)), expected, 1e-5, entry + " by 1");
  }
}

// The whole step of the trainer: with a frozen body nothing but the losses couples samples.
TEST(Step, ForwardBackwardJoinsMicroBatches) {
  const toy::TempFolder folder;
  auto run = make_run(toy::config(folder, {toy::teacher(folder), "train.batch_size=32",
                                           "losses=[{name: cross_entropy}, {name: kd}, {name: dist}]",
                                           "train.freeze=[all but the head]"}));
  const StepBatches whole = run->loader->next();
  const auto step = [&](const std::vector<std::int64_t>& sizes) {
    const StepResult result = forward_backward(*run, cut(whole, sizes), 0);
    EXPECT_EQ(result.samples, 32);
    EXPECT_EQ(result.parts.size(), 3U);
    return updates_of(*run, result.loss);
  };
  const Updates expected = step({32});
  ASSERT_EQ(expected.gradients.size(), 2U);  // the head's weight and bias
  expect_same(step({8, 8, 8, 8}), expected, 1e-5, "by 8");
  expect_same(step(std::vector<std::int64_t>(32, 1)), expected, 1e-5, "by 1");
}

TEST(Step, AWeightRisesOverItsEpochs) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(
      folder, {toy::teacher(folder), "losses=[{name: dkd, weight: 2}, {name: kd, warmup_epochs: 0.5}]"}));
  StepBatches batches = run->loader->next();
  EXPECT_EQ(plan_step(*run, batches, 0).weights, (std::vector<double>{2.0 / 20, 0.9}));
  batches.epoch = 9;
  EXPECT_EQ(plan_step(*run, batches, 0).weights, (std::vector<double>{1, 0.9}));
  batches.epoch = 19;
  EXPECT_EQ(plan_step(*run, batches, 0).weights, (std::vector<double>{2, 0.9}));
}

// Over the pictures without augmentation, by the live teacher.
TEST(Survey, FindsTheDirectionOfEachClass) {
  const toy::TempFolder folder;
  const auto run =
      make_run(toy::config(folder, {toy::teacher(folder), "losses=[{name: nd}]", "data.augment=[flip]"}));
  survey_teachers(*run);
  const auto buffers = run->losses[0].loss->trainable()->buffers();
  ASSERT_EQ(buffers.size(), 1U);
  const at::Tensor directions = buffers[0].tensor.clone();
  EXPECT_TRUE(at::allclose(directions.square().sum(1), at::ones({3}), 1e-5, 1e-6));
  survey_teachers(*run);
  EXPECT_TRUE(at::equal(buffers[0].tensor, directions));
}

// Passes on what it is asked.
struct Ask final : Teacher {
  explicit Ask(Teacher& other) : asked(other) {}
  Record answer(const Batch& batch) override { return asked.answer(batch); }
  Teacher& asked;
};

// 27 samples are cut into slices of 16 at least; each sample's answer is its own.
TEST(Step, TheTeacherAnswersInSlicesWhatItAnswersAtOnce) {
  const toy::TempFolder folder;
  const auto run = make_run(
      toy::config(folder, {toy::teacher(folder), "losses=[{name: kd}, {name: mgd}]", "train.batch_size=27"}));
  const Batch batch = run->loader->next().micro.at(0);
  ModelSummary large = run->teacher()->facts.summary;
  large.nodes.front().shape = {1 << 24};  // as if a node were so large that the fewest are taken
  EXPECT_EQ(slice_size(large, 27, at::kCPU), 14);
  const Record output = SlicedTeacher(std::make_unique<Ask>(*run->teacher()->live), 14).answer(batch);
  const at::NoGradGuard no_grad;
  Forward whole;
  whole.capture("layer3");
  const at::Tensor logits = run->teacher()->live->model().run(batch, whole).logits;
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
  EXPECT_TRUE(teacher_answers(*run, batch).front().logits.isnan().any().item<bool>());

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
  EXPECT_THAT(message({"masks=[{node: layer2, mask: student}]"}), HasSubstr("in the loss mgd only"));
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
  EXPECT_EQ(run->teacher()->facts.summary.node_infos().at("layer3").sizes,
            (std::vector<std::int64_t>{32, 4, 4}));
  EXPECT_GT(forward_backward(*run, run->loader->next(), 0).loss, 0);
}

TEST(Preflight, AnUntrainedOrBrokenTeacherIsRefused) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  const std::vector<std::string> options{teacher, "losses=[{name: kd}]"};
  auto run = make_run(toy::config(folder, options));
  EXPECT_GT(preflight(*run).at(0).teacher_accuracy, 0.6);

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
    for (auto& entry : run->teacher()->live->model().parameters()) entry.tensor.zero_();
  }
  EXPECT_THAT(refusal(*run), HasSubstr("looks untrained"));
  {
    at::NoGradGuard no_grad;
    for (auto& entry : run->teacher()->live->model().parameters())
      entry.tensor.fill_(std::numeric_limits<float>::infinity());
  }
  EXPECT_THAT(refusal(*run), HasSubstr("NaN or infinity"));
  run->config.train.check_teacher = false;
  EXPECT_THAT(refusal(*run), HasSubstr("NaN or infinity"));
}

}  // namespace
}  // namespace mgd
