// Text runs: exact resume, and micro-batches that change nothing although targets lie unevenly in them.
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "mgd/core/error.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

const char* const kTasks[] = {"mlm", "clm", "denoise", "classify", "embed"};

// faults.md row 6, for texts: stopped in mid-epoch, and gone on with from what lies on the disk.
TEST(TextResume, IsByteIdenticalForEveryTask) {
  const toy::TempFolder folder;
  for (const char* task : kTasks)
    for (const char* variant : {"fp32 0", "fp32 2", "bf16 4"}) {
      SCOPED_TRACE(std::string(task) + " " + variant);
      // Threads and precision are the same code for every task.
      if (std::string(variant) != "fp32 2" && std::string(task) != "mlm") continue;
      const std::string words = variant, name = std::string(task) + words;
      Config full =
          toy::text_config(folder, task,
                           {"train.ema_decay=0.9", "train.schedule=constant", "train.export_weights=last",
                            "train.micro_batch_size=16", "train.precision=" + words.substr(0, 4),
                            "data.loader_threads=" + words.substr(5)});
      const toy::Outcome straight = toy::train_all(full, folder / (name + "-straight"));
      Config half = full;
      half.train.max_steps = 7;  // 5 steps an epoch, 10 in all
      toy::train_all(half, folder / (name + "-parts"));
      const toy::Outcome resumed = toy::train_all(full, folder / (name + "-parts"), RunFolder::Open::resume);
      EXPECT_EQ(resumed.weights, straight.weights);
      EXPECT_EQ(resumed.optimizer, straight.optimizer);
      EXPECT_EQ(resumed.ema, straight.ema);
    }
}

// Scores that are all alike have no rank correlation: NaN, which JSON lacks. The run goes on all the same.
TEST(TextResume, AFigureThatIsNoNumberSurvivesACheckpoint) {
  const toy::TempFolder folder;
  toy::write_texts(folder);
  std::ofstream pairs(folder / "embed.tsv");
  pairs << "first\tsecond\tlabel\n";
  for (int i = 0; i < 80; ++i) pairs << "word1 word" << i % 50 << "\tword2 end\t0.5\n";
  pairs.close();
  Config config = toy::text_config(folder, "embed", {"train.schedule=constant"});
  const toy::Outcome straight = toy::train_all(config, folder / "straight");
  EXPECT_NE(straight.metrics.find("\"eval/spearman\":null"), std::string::npos) << straight.metrics;
  Config half = config;
  half.train.max_steps = 3;
  toy::train_all(half, folder / "parts");
  EXPECT_EQ(toy::train_all(config, folder / "parts", RunFolder::Open::resume).weights, straight.weights);
}

// masks.md lines 18 and 19.
TEST(MaskContract, Line19_TheTokenLossIsDividedOnceByTheTargetsOfTheWholeStep) {
  const toy::TempFolder folder;
  for (const char* task : kTasks) {
    SCOPED_TRACE(task);
    double loss = 0;
    std::vector<at::Tensor> gradients;
    std::vector<std::int64_t> counts;
    // 1 % hidden: most micro-batches of one sample have no target at all.
    for (const char* size : {"32", "8", "1"}) {
      const auto run = make_run(toy::text_config(
          folder, task, {std::string("train.micro_batch_size=") + size, "objective.mask_ratio=0.01"}));
      const StepBatches batches = run->loader->next();
      for (const Batch& micro : batches.micro) counts.push_back(micro.num_targets());
      const StepResult result = forward_backward(*run, batches, 4);
      ASSERT_TRUE(std::isfinite(result.loss));
      const auto parameters = run->student->parameters();
      if (gradients.empty()) {
        loss = result.loss;
        for (const auto& parameter : parameters) gradients.push_back(parameter.tensor.grad());
        continue;
      }
      EXPECT_NEAR(result.loss, loss, 1e-5 * std::abs(loss)) << size;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        const at::Tensor grad = parameters[i].tensor.grad();
        ASSERT_EQ(grad.defined(), gradients[i].defined()) << parameters[i].name;
        if (!grad.defined()) continue;
        const double scale = gradients[i].abs().max().item<double>();
        EXPECT_LT((grad - gradients[i]).abs().max().item<double>(), 1e-4 * scale + 1e-7)
            << parameters[i].name << " " << size;
      }
    }
    ASSERT_EQ(counts.size(), 1U + 4U + 32U);
    if (std::string(task) == "mlm") {
      EXPECT_GT(counts[0], 0);
      EXPECT_EQ(std::count(counts.begin() + 5, counts.end(), 0) > 16, true);
    }
  }
}

// Attention and language heads that compute what nobody sees: the same but for rounding.
TEST(MaskContract, Line19_WhatIsHiddenMayBeComputed) {
  const toy::TempFolder folder;
  for (const char* task : kTasks) {
    SCOPED_TRACE(task);
    double loss[2];
    at::Tensor gradient[2];
    for (const bool skip : {true, false}) {
      const auto run = make_run(toy::text_config(folder, task, {fmt::format("train.skip_hidden={}", skip)}));
      loss[skip] = forward_backward(*run, run->loader->next(), 4).loss;
      // The first parameter in use: behind everything else.
      for (const auto& parameter : run->student->parameters())
        if (parameter.tensor.grad().defined() && !gradient[skip].defined())
          gradient[skip] = parameter.tensor.grad();
    }
    EXPECT_NEAR(loss[0], loss[1], 1e-5 * std::abs(loss[1]));
    const double scale = gradient[1].abs().max().item<double>();
    EXPECT_GT(scale, 0);
    EXPECT_LT((gradient[0] - gradient[1]).abs().max().item<double>(), 1e-4 * scale);
  }
}

TEST(TextTask, TextsWithoutATargetAreRefused) {
  const toy::TempFolder folder;
  for (const auto& [task, change, message] :
       {std::tuple{"embed", "text.columns=[first]",
                   "got one column, but task embed compares the texts of two"},
        std::tuple{"embed", "text.target=", "got none, but task embed learns from a score"},
        std::tuple{"classify", "text.target=", "got none, but task classify learns from a label"}}) {
    try {
      make_run(toy::text_config(folder, task, {change}));
      ADD_FAILURE() << task << " " << change;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
}

// A whole step without a target leaves the weights and the loss as they are.
TEST(MaskContract, Line18_AStepWithNothingHiddenIsNoNan) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::text_config(folder, "mlm", {"objective.mask_ratio=1e-12"}));
  const StepResult result = forward_backward(*run, run->loader->next(), 0);
  EXPECT_EQ(result.loss, 0);
  for (const auto& parameter : run->student->parameters()) EXPECT_FALSE(parameter.tensor.grad().defined());
}

}  // namespace
}  // namespace mgd
