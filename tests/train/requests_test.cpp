// How a program that trains through the library stops a training, and what the training leaves alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <thread>

#include "mgd/train/checkpoint.h"
#include "train/toy.h"

namespace mgd {
namespace {

Config long_run(const toy::TempFolder& folder) {
  return toy::config(folder, {"train.epochs=500"});
}

TEST(Requests, AStopEndsTheTrainingWithACheckpoint) {
  for (const StopReason reason : {StopReason::interrupted, StopReason::terminated}) {
    const toy::TempFolder folder;
    const auto run = make_run(long_run(folder));
    const RunFolder run_folder(folder / "run", RunFolder::Open::create);
    TrainRequests requests;
    TrainEvents events;
    events.progress = [&](const Progress& p) {
      if (p.step == 3) requests.stop(reason);
    };
    const TrainResult result = train(*run, run_folder, {.requests = &requests}, events);
    EXPECT_EQ(result.reason, reason);
    EXPECT_EQ(result.steps, 3);
    const auto found = load_newest_checkpoint(run_folder.checkpoints());
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->checkpoint.step, 3);
  }
}

TEST(Requests, ASaveIsOneCheckpointAndTheTrainingGoesOn) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(folder, {"train.epochs=4", "train.checkpoint_every=100000"}));
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  TrainRequests requests;
  TrainEvents events;
  std::int64_t saved_at = -1;
  events.progress = [&](const Progress& p) {
    if (p.step == 2) requests.save();
    if (p.step == 4) saved_at = load_newest_checkpoint(run_folder.checkpoints())->checkpoint.step;
  };
  EXPECT_EQ(train(*run, run_folder, {.requests = &requests}, events).reason, StopReason::finished);
  EXPECT_EQ(saved_at, 2);
}

// A host's handlers are in force while it trains and afterwards, also with two trainings at once.
TEST(Requests, TrainingsLeaveTheHostsSignalsAlone) {
  constexpr std::array kSignals{SIGINT, SIGTERM, SIGUSR1, SIGPIPE};
  const auto in_force = [&] {
    std::array<void (*)(int), kSignals.size()> handlers{};
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action {};
      sigaction(kSignals[i], nullptr, &action);
      handlers[i] = action.sa_handler;
    }
    return handlers;
  };
  const toy::TempFolder folder;
  const auto before = in_force();
  const auto train_one = [&](const std::string& name) {
    const auto run = make_run(toy::config(folder, {}));
    const RunFolder run_folder(folder / name, RunFolder::Open::create);
    TrainEvents events;
    events.progress = [&](const Progress&) { EXPECT_EQ(in_force(), before); };
    EXPECT_EQ(train(*run, run_folder, {}, events).reason, StopReason::finished);
  };
  toy::config(folder, {});  // the pictures are there before anybody reads them
  std::thread other([&] { train_one("a"); });
  train_one("b");
  other.join();
  EXPECT_EQ(in_force(), before);
}

TEST(Requests, EmptyEventsAreSilence) {
  const toy::TempFolder folder;
  for (const auto open : {RunFolder::Open::create, RunFolder::Open::resume}) {
    const auto run = make_run(toy::config(folder, {}));
    EXPECT_EQ(train(*run, RunFolder(folder / "run", open), {}, TrainEvents{}).reason, StopReason::finished);
  }
}

}  // namespace
}  // namespace mgd
