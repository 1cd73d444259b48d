#include "mgd/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "flip_bit.h"
#include "mgd/core/error.h"
#include "mgd/train/checkpoint.h"
#include "mgd/train/finish.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using toy::expect_equal;
using toy::Outcome;
using toy::outcome_of;
using toy::train_all;

const std::vector<std::string> kDistill{
    "losses=[{name: cross_entropy, weight: 0.5}, {name: kd, weight: 0.5}, {name: mgd, mask_ratio: 0.3, mask: "
    "element}]"};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// faults.md row 6, within one process: half the steps, a new process's worth of objects, the other half.
TEST(Resume, IsByteIdenticalForAnyNumberOfLoaderThreadsAndPrecision) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  int n = 0;
  for (const char* precision : {"fp32", "bf16"}) {
    for (const char* threads : {"0", "2", "4"}) {
      const auto options = kDistill + std::vector<std::string>{teacher, "train.ema_decay=0.9",
                                                               "data.augment=[crop: 1, flip, cutout: 2]",
                                                               std::string("train.precision=") + precision,
                                                               std::string("data.loader_threads=") + threads};
      const Config whole = toy::config(folder, options);
      const Outcome expected = train_all(whole, folder / ("whole" + std::to_string(n)));
      // Stops in mid-epoch: 4 steps an epoch, 8 in all.
      Config half = whole;
      half.train.max_steps = 3;
      half.train.schedule = "constant";
      Config full = whole;
      full.train.schedule = "constant";
      const Outcome straight = train_all(full, folder / ("straight" + std::to_string(n)));
      const fs::path parts = folder / ("parts" + std::to_string(n));
      train_all(half, parts);
      // The stopped run logged an evaluation at its early end; a killed one would not have.
      Config stopped = full;
      const Outcome resumed = train_all(stopped, parts, RunFolder::Open::resume);
      EXPECT_EQ(resumed.weights, straight.weights) << precision << " " << threads;
      EXPECT_EQ(resumed.optimizer, straight.optimizer);
      EXPECT_EQ(resumed.ema, straight.ema);
      expect_equal(train_all(whole, folder / ("again" + std::to_string(n))), expected);
      ++n;
    }
  }
}

TEST(Resume, RepeatsDropout) {
  const toy::TempFolder folder;
  Config config = toy::config(folder, {"student={model: mobilenet_v2, width: 0.125}", "train.epochs=1",
                                       "train.schedule=constant", "train.export_weights=last"});
  const Outcome straight = train_all(config, folder / "straight");
  Config half = config;
  half.train.max_steps = 2;
  train_all(half, folder / "parts");
  const Outcome resumed = train_all(config, folder / "parts", RunFolder::Open::resume);
  EXPECT_EQ(resumed.weights, straight.weights);
  EXPECT_EQ(resumed.optimizer, straight.optimizer);
}

// Blocks of losses have statistics of batch norms, and what was found out of the teacher before the first
// step.
TEST(Resume, RestoresWhatLossesKeep) {
  const toy::TempFolder folder;
  const Config config = toy::config(
      folder,
      {toy::teacher(folder), "train.schedule=constant", "train.micro_batch_size=6",
       "losses=[{name: cross_entropy}, {name: review, student_tap: [layer2, layer3], warmup_epochs: 1}, "
       "{name: nd, weight: 0.5}, {name: rkd, weight: 0.01}, {name: mgd, mask: student, mask_ratio: 0.4, "
       "target: standardized}]"});
  const auto trained = [](const fs::path& run) {
    return load_newest_checkpoint(run / "checkpoints")->checkpoint.trained;
  };
  const Outcome straight = train_all(config, folder / "straight");
  Config half = config;
  half.train.max_steps = 3;
  train_all(half, folder / "parts");
  const TensorMap between = trained(folder.path() / "parts");
  for (const char* name :
       {"loss/review/stages.0.reduce_norm.running_mean", "loss/review/stages.1.expand_norm.running_var",
        "loss/review/stages.0.reduce_norm.num_batches_tracked", "loss/nd/directions"})
    EXPECT_TRUE(between.contains(name)) << name;
  const Outcome resumed = train_all(config, folder / "parts", RunFolder::Open::resume);
  EXPECT_EQ(resumed.weights, straight.weights);
  EXPECT_EQ(resumed.optimizer, straight.optimizer);
  EXPECT_EQ(tensors_to_safetensors(trained(folder.path() / "parts")),
            tensors_to_safetensors(trained(folder.path() / "straight")));
}

TEST(Resume, RefusesAChangedRunWithTheDifference) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  const Config first = toy::config(folder, kDistill + std::vector{teacher});
  train_all(first, folder / "run");
  for (const auto& [change, key] :
       {std::pair{"student.width=0.5", "student"}, std::pair{"data.per_class=9", "data"},
        std::pair{"losses.2.mask_ratio=0.4", "losses"}, std::pair{"run.seed=4", "seed"},
        std::pair{"train.winograd=true", "precision"}, std::pair{"train.skip_hidden=false", "precision"}}) {
    try {
      train_all(toy::config(folder, kDistill + std::vector<std::string>{teacher, change}), folder / "run",
                RunFolder::Open::resume);
      ADD_FAILURE() << change << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      EXPECT_THAT(error.what(), HasSubstr(std::string("\n  ") + key));
      EXPECT_THAT(error.what(), HasSubstr("was "));
    }
  }
}

TEST(Resume, ADamagedCheckpointIsNamedAndTheOneBeforeUsed) {
  const toy::TempFolder folder;
  const Config config = toy::config(folder, {});
  const Outcome expected = train_all(config, folder / "run");
  const fs::path newest = folder / "run/checkpoints/step-00000008";
  ASSERT_TRUE(fs::exists(newest));
  ASSERT_TRUE(fs::exists(folder / "run/checkpoints/step-00000004"));
  flip_bit(newest / "trained.safetensors", 1000);
  EXPECT_THROW(load_newest_checkpoint(folder / "run/checkpoints", /*strict=*/true), Error);
  const auto run = make_run(config);
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::resume);
  const TrainResult result = train(*run, run_folder, {}, notes.events());
  EXPECT_THAT(result.resumed_from, HasSubstr("step-00000004"));
  EXPECT_THAT(notes.lines.at(0), HasSubstr("step-00000008"));
  expect_equal(outcome_of(*run, folder / "run"), expected);
}

TEST(Trainer, TheTeacherDoesNotChangeAndIsNotExported) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(folder, kDistill + std::vector{toy::teacher(folder)}));
  const std::string before = fingerprint_of(run->teacher()->live->model());
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  train(*run, run_folder, {}, notes.events());
  EXPECT_EQ(fingerprint_of(run->teacher()->live->model()), before);
  for (const auto& entry : run->teacher()->live->model().parameters())
    EXPECT_FALSE(entry.tensor.requires_grad() || entry.tensor.grad().defined());
  export_student(*run, folder / "student");
  const LoadedFolder exported = load_model_folder(folder / "student");
  EXPECT_EQ(exported.tensors.size(), run->student->state().size());
  for (const auto& entry : run->student->state())
    EXPECT_TRUE(exported.tensors.contains(entry.name)) << entry.name;
}

TEST(Trainer, TeacherNormBatchReproducesTheMovingTeacher) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(
      folder, kDistill + std::vector<std::string>{toy::teacher(folder), "train.teacher_norm=batch"}));
  const std::string before = fingerprint_of(run->teacher()->live->model());
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  train(*run, run_folder, {}, notes.events());
  EXPECT_NE(fingerprint_of(run->teacher()->live->model()), before);
}

TEST(Trainer, LearnsTheToyTask) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(folder, {"train.epochs=10"}));
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  const TrainResult result = train(*run, run_folder, {}, notes.events());
  EXPECT_EQ(result.steps, 40);
  EXPECT_GE(result.best_value, 0.8);
  const FinalMeasures measures = measure_final(*run);
  EXPECT_EQ(measures.split, "test");
  EXPECT_GE(measures.student.classes.accuracy, 0.7);
}

TEST(Trainer, DivergenceSkipsRollsBackAndEndsWith76) {
  const toy::TempFolder folder;
  const auto run =
      make_run(toy::config(folder, {"train.lr=1e30", "train.epochs=20", "train.schedule=constant"}));
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  try {
    train(*run, run_folder, {}, notes.events());
    ADD_FAILURE() << "a learning rate of 1e30 did not diverge";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::diverged);
    EXPECT_THAT(error.what(), HasSubstr("train.lr (now 1e+30)"));
  }
  EXPECT_THAT(notes.lines, ::testing::Contains(HasSubstr("rolled back to")));
  EXPECT_TRUE(fs::exists(folder / "run/diverged.txt"));
  EXPECT_TRUE(load_newest_checkpoint(folder / "run/checkpoints").has_value());
}

TEST(Trainer, EarlyStopEndsAfterPatience) {
  const toy::TempFolder folder;
  // A learning rate of 0 never gets better after the first evaluation.
  const auto run = make_run(toy::config(folder, {"train.lr=1e-12", "train.epochs=20", "train.early_stop=2"}));
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  const TrainResult result = train(*run, run_folder, {}, notes.events());
  EXPECT_EQ(result.reason, StopReason::early_stop);
  EXPECT_LT(result.steps, 20 * 4);
}

TEST(RunFolder, IsNeverOverwrittenSilentlyAndUsedOnce) {
  const toy::TempFolder folder;
  train_all(toy::config(folder, {"train.max_steps=1"}), folder / "run");
  const auto code_of = [&](RunFolder::Open open, const char* name) {
    try {
      const RunFolder opened(folder / name, open);
      return ExitCode::ok;
    } catch (const Error& error) {
      return error.code();
    }
  };
  EXPECT_EQ(code_of(RunFolder::Open::create, "run"), ExitCode::cannot_create);
  EXPECT_EQ(code_of(RunFolder::Open::resume, "nothing"), ExitCode::missing_input);
  EXPECT_EQ(code_of(RunFolder::Open::resume, "run"), ExitCode::ok);
  const RunFolder first(folder / "run", RunFolder::Open::resume);
  try {
    const RunFolder second(folder / "run", RunFolder::Open::resume);
    ADD_FAILURE() << "two processes in one run folder";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::cannot_create);
    EXPECT_THAT(error.what(), HasSubstr("pid " + std::to_string(getpid())));
  }
  EXPECT_EQ(code_of(RunFolder::Open::overwrite, "run"), ExitCode::cannot_create);
}

}  // namespace
}  // namespace mgd
