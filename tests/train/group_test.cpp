// Several ranks, threads here, train what one alone would.
#include "mgd/types/group.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "expect_error.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using testing::HasSubstr;

// What the ranks of one group share. Sums are made in the order of ranks, by each rank for itself.
struct Meeting {
  explicit Meeting(int size)
      : barrier(size), numbers(static_cast<std::size_t>(size)), tensors(numbers.size()) {}
  std::barrier<> barrier;
  std::vector<std::vector<double>> numbers;
  std::vector<std::vector<at::Tensor>> tensors;
};

class ThreadGroup final : public Group {
 public:
  ThreadGroup(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(meeting_.numbers.size()); }

  void sum(std::span<double> values) override {
    meeting_.numbers[mine()].assign(values.begin(), values.end());
    meeting_.barrier.arrive_and_wait();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = 0;
      for (const auto& of_rank : meeting_.numbers) values[i] += of_rank.at(i);
    }
    meeting_.barrier.arrive_and_wait();
  }
  void sum(std::span<at::Tensor> tensors) override {
    show(tensors);
    std::vector<at::Tensor> sums;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      at::Tensor sum = meeting_.tensors[0].at(i).clone();
      for (std::size_t r = 1; r < meeting_.tensors.size(); ++r) sum += meeting_.tensors[r].at(i);
      sums.push_back(sum);
    }
    take(tensors, sums);
  }
  void take_first(std::span<at::Tensor> tensors) override {
    show(tensors);
    take(tensors, std::vector<at::Tensor>(meeting_.tensors[0]));
  }

 private:
  std::size_t mine() const { return static_cast<std::size_t>(rank_); }
  void show(std::span<at::Tensor> tensors) {
    meeting_.tensors[mine()].clear();
    for (const auto& tensor : tensors) meeting_.tensors[mine()].push_back(tensor.detach().clone());
    meeting_.barrier.arrive_and_wait();
  }
  void take(std::span<at::Tensor> tensors, const std::vector<at::Tensor>& values) {
    meeting_.barrier.arrive_and_wait();
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].detach().copy_(values[i]);
  }

  Meeting& meeting_;
  const int rank_;
};

// body(rank, host) on each rank, side by side.
void on_ranks(int ranks, const std::function<void(int, const Host&)>& body) {
  Meeting meeting(ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      Host host;
      host.group = std::make_shared<ThreadGroup>(meeting, rank);
      body(rank, host);
    });
  for (auto& thread : threads) thread.join();
}

struct Update {
  StepResult result;
  std::vector<at::Tensor> gradients;
};

Update first_step(const Config& config, const Host& host, std::size_t* micro = nullptr) {
  const auto run = make_run(config, host);
  const StepBatches batches = run->loader->next();
  if (micro != nullptr) *micro = batches.micro.size();
  Update update{.result = forward_backward(*run, batches, 0), .gradients = {}};
  for (const auto& entry : run->trainable())
    update.gradients.push_back(entry.tensor.grad().defined() ? entry.tensor.grad().clone() : at::Tensor());
  return update;
}

void expect_near(const Update& a, const Update& b) {
  EXPECT_NEAR(a.result.loss, b.result.loss, 1e-5 * std::abs(b.result.loss));
  EXPECT_EQ(a.result.samples, b.result.samples);
  EXPECT_EQ(a.result.correct, b.result.correct);
  ASSERT_EQ(a.result.parts.size(), b.result.parts.size());
  for (const auto& [label, value] : b.result.parts)
    EXPECT_NEAR(a.result.parts.at(label), value, 1e-5 * std::abs(value) + 1e-6) << label;
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    ASSERT_EQ(a.gradients[i].defined(), b.gradients[i].defined());
    if (!a.gradients[i].defined()) continue;
    EXPECT_LT((a.gradients[i] - b.gradients[i]).norm().item<double>(),
              1e-4 * b.gradients[i].norm().item<double>() + 1e-7);
  }
}

// Few hidden tokens, documents of 2 to 18 words, a teacher, a masked term: counts differ from rank to rank.
Config uneven(const toy::TempFolder& folder, const std::vector<std::string>& extra = {}) {
  if (!fs::exists(folder / "tokens")) toy::write_texts(folder);
  const std::string teacher = folder / "teacher";
  if (!fs::exists(teacher)) {
    const auto run = make_run(toy::text_config(folder, "mlm", {"train.max_steps=1"}));
    run->task->export_model(*run->student, teacher);
  }
  std::vector<std::string> all{
      "teacher=" + teacher,
      "losses=[cross_entropy, {name: kd, temperature: 2}, {name: mgd, mask_ratio: 0.3}]",
      "objective.mask_ratio=0.05", "train.batch_size=12"};
  all.insert(all.end(), extra.begin(), extra.end());
  return toy::text_config(folder, "mlm", all);
}

TEST(Group, OfOneChangesNothing) {
  Group alone;
  std::vector<double> numbers{1, 2};
  alone.sum(numbers);
  EXPECT_THAT(numbers, testing::ElementsAre(1, 2));
  EXPECT_TRUE(alone.any(true));
  EXPECT_FALSE(alone.any(false));
  EXPECT_TRUE(alone.leads());
}

TEST(Group, AStepIsTheSameOnOneTwoThreeAndFiveRanks) {
  const toy::TempFolder folder;
  const Config config = uneven(folder);
  const Update one = first_step(config, {});
  for (const int ranks : {2, 3, 5}) {
    SCOPED_TRACE(ranks);
    std::vector<Update> updates(static_cast<std::size_t>(ranks));
    on_ranks(ranks, [&](int rank, const Host& host) {
      updates[static_cast<std::size_t>(rank)] = first_step(config, host);
    });
    for (const Update& update : updates) expect_near(update, one);
  }
}

TEST(Group, PartsAreCutIntoMicroBatches) {
  const toy::TempFolder folder;
  const Config config = uneven(folder, {"train.micro_batch_size=4"});
  const Update one = first_step(config, {});
  std::vector<Update> updates(2);
  std::vector<std::size_t> micro(2);
  on_ranks(2, [&](int rank, const Host& host) {
    const auto place = static_cast<std::size_t>(rank);
    updates[place] = first_step(config, host, &micro[place]);
  });
  EXPECT_THAT(micro, testing::ElementsAre(2, 2));
  for (const Update& update : updates) expect_near(update, one);
}

// Trains on so many ranks and gives what rank 0 has left, after all agreed to the byte.
toy::Outcome train_on(int ranks, const Config& config, const fs::path& path,
                      RunFolder::Open open = RunFolder::Open::create) {
  const RunFolder folder(path, open);
  std::vector<std::string> weights(static_cast<std::size_t>(ranks));
  std::vector<std::size_t> notes(weights.size());
  toy::Outcome outcome;
  on_ranks(ranks, [&](int rank, const Host& host) {
    const auto place = static_cast<std::size_t>(rank);
    const auto run = make_run(config, host);
    toy::Notes told;
    train(*run, folder, {}, told.events());
    weights[place] = fingerprint_of(*run->student);
    notes[place] = told.lines.size();
    if (rank == 0) outcome = toy::outcome_of(*run, path);
  });
  for (std::size_t rank = 1; rank < weights.size(); ++rank) {
    EXPECT_EQ(weights[rank], weights[0]);
    EXPECT_EQ(notes[rank], 0);
  }
  return outcome;
}

TEST(Group, TrainsToTheSameBytesTwiceAndGoesOnWithAnotherNumberOfRanks) {
  const toy::TempFolder folder;
  toy::write_images(folder.path());
  const std::vector<std::string> recipe{
      toy::teacher(folder),       "losses=[cross_entropy, {name: mgd, mask_ratio: 0.5}]",
      "train.batch_size=12",      "train.epochs=4",
      "train.ema_decay=0.9",      "train.schedule=constant",
      "train.export_weights=last"};
  const auto with = [&](const std::string& steps) {
    std::vector<std::string> all = recipe;
    all.push_back("train.max_steps=" + steps);
    return toy::config(folder, all);
  };
  const toy::Outcome first = train_on(2, with("8"), folder / "a");
  toy::expect_equal(train_on(2, with("8"), folder / "b"), first);
  train_on(2, with("4"), folder / "c");
  toy::expect_equal(train_on(2, with("8"), folder / "c", RunFolder::Open::resume), first);
  train_on(3, with("10"), folder / "c", RunFolder::Open::resume);
  const toy::Outcome alone = train_on(1, with("12"), folder / "c", RunFolder::Open::resume);
  EXPECT_NE(alone.weights, first.weights);
}

TEST(Group, ARequestToOneRankStopsAll) {
  const toy::TempFolder folder;
  const Config config = uneven(folder, {"train.epochs=100"});
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  std::vector<TrainResult> results(2);
  on_ranks(2, [&](int rank, const Host& host) {
    const auto run = make_run(config, host);
    TrainRequests requests;
    if (rank == 1) requests.stop(StopReason::terminated);
    results[static_cast<std::size_t>(rank)] = train(*run, run_folder, {.requests = &requests}, {});
  });
  EXPECT_EQ(results[1].reason, StopReason::terminated);
  EXPECT_EQ(results[0].reason, StopReason::interrupted);
  EXPECT_EQ(results[0].steps, results[1].steps);
}

TEST(Group, WhatCannotBeDividedIsRefused) {
  const toy::TempFolder folder;
  Meeting meeting(13);
  Host host;
  host.group = std::make_shared<ThreadGroup>(meeting, 3);
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_run(uneven(folder), host); }),
              HasSubstr("a step of 12 samples cannot be divided among 13 ranks"));
  const toy::TempFolder pictures;
  toy::write_images(pictures.path());
  Meeting pair(2);
  host.group = std::make_shared<ThreadGroup>(pair, 1);
  const Config relates = toy::config(pictures, {toy::teacher(pictures), "losses=[cross_entropy, rkd]"});
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_run(relates, host); }),
              testing::AllOf(HasSubstr("losses.rkd"), HasSubstr("2 ranks")));
}

}  // namespace
}  // namespace mgd
