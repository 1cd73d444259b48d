#include "mgd/train/no_gradient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "mgd/train/trainer.h"
#include "train/toy.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class NoGradients : public testing::Test {
 protected:
  // The lines of a run of these losses, and what it tells in its result.
  std::string told(const std::string& losses, const std::vector<std::string>& extra = {}) {
    std::vector<std::string> all{toy::teacher(folder), "losses=[" + losses + "]", "train.epochs=3"};
    all.insert(all.end(), extra.begin(), extra.end());
    notes.lines.clear();
    run = make_run(toy::config(folder, all));
    const RunFolder run_folder(folder / ("run" + std::to_string(runs++)), RunFolder::Open::create);
    return train(*run, run_folder, {}, notes.events()).no_gradient;
  }

  const toy::TempFolder folder;
  toy::Notes notes;
  std::unique_ptr<mgd::Run> run;
  int runs = 0;
};

// With all of the student's map hidden its block still learns the teacher's mean, and its loss falls.
TEST_F(NoGradients, AStudentThatNoLossMovesIsToldOfOnce) {
  const std::string line = told("{name: mgd, mask_ratio: 1}");
  EXPECT_THAT(
      line, AllOf(HasSubstr("losses (mgd): the gradient is exactly zero"), HasSubstr("the first 10 steps")));
  EXPECT_THAT(notes.lines, Contains(line).Times(1));
  EXPECT_THAT(told("{name: mgd, mask_ratio: 1}, {name: kd, weight: 0}"), HasSubstr("losses (mgd, kd)"));
}

TEST_F(NoGradients, AShortRunIsToldOfAtItsEnd) {
  EXPECT_THAT(told("{name: mgd, mask_ratio: 1}", {"train.max_steps=3"}), HasSubstr("in the first 3 steps"));
  EXPECT_THAT(told("{name: mgd, mask_ratio: 1}", {"train.max_steps=1"}), HasSubstr("in the first 1 step:"));
}

TEST_F(NoGradients, ALossOnWhatIsHiddenWithNothingHiddenIsRefused) {
  const auto refusal = [&](const std::string& losses) {
    return error_of(ExitCode::usage, [&] { told(losses); });
  };
  EXPECT_THAT(refusal("cross_entropy, {name: mgd, on: hidden, mask_ratio: 0}"),
              AllOf(HasSubstr("losses.mgd: mask_ratio"), HasSubstr("nothing is hidden")));
  EXPECT_EQ(told("cross_entropy, {name: mgd, on: hidden, mask_ratio: 0, mask_ratio_end: 0.5}"), "");
}

TEST_F(NoGradients, OneLossThatMovesItIsEnough) {
  EXPECT_EQ(told("{name: mgd, mask_ratio: 1}, {name: kd, weight: 1e-12}"), "");
  EXPECT_EQ(told("{name: mgd, mask_ratio: 0.5}"), "");
  EXPECT_THAT(notes.lines, Not(Contains(HasSubstr("exactly zero"))));
}

// A resumed run goes on counting, and tells nothing twice.
TEST_F(NoGradients, AResumedRunKnowsWhatWasSeen) {
  const auto part = [&](std::int64_t steps, RunFolder::Open open) {
    Config config =
        toy::config(folder, {toy::teacher(folder), "losses=[{name: mgd, mask_ratio: 1}]", "train.epochs=3"});
    config.train.max_steps = steps;
    notes.lines.clear();
    run = make_run(config);
    TrainRequests requests;
    const RunFolder run_folder(folder / "parts", open);
    TrainEvents events = notes.events();
    events.progress = [&](const Progress& progress) {
      if (progress.step == 4) requests.stop(StopReason::terminated);
    };
    return train(*run, run_folder, {.requests = &requests}, events).no_gradient;
  };
  EXPECT_EQ(part(12, RunFolder::Open::create), "");
  EXPECT_THAT(part(12, RunFolder::Open::resume), HasSubstr("the first 10 steps"));
  EXPECT_THAT(notes.lines, Contains(HasSubstr("exactly zero")).Times(1));
  EXPECT_THAT(part(12, RunFolder::Open::resume), HasSubstr("the first 10 steps"));
  EXPECT_THAT(notes.lines, Not(Contains(HasSubstr("exactly zero"))));
}

TEST_F(NoGradients, WithoutAnyWeightNothingBegins) {
  for (const char* losses :
       {"{name: kd, weight: 0}", "{name: cross_entropy, weight: 0}, {name: mgd, weight: 0}"})
    EXPECT_THAT(
        error_of(
            ExitCode::usage,
            [&] {
              make_run(toy::config(folder, {toy::teacher(folder), "losses=[" + std::string(losses) + "]"}));
            }),
        AllOf(HasSubstr("command line"), HasSubstr("losses: every loss has the weight 0"),
              HasSubstr("give one a weight")));
}

}  // namespace
}  // namespace mgd
