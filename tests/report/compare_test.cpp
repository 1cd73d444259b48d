#include "mgd/report/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mgd/core/error.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;

RunRecord run_of(const std::string& method, std::int64_t seed, double accuracy) {
  RunRecord run;
  run.name = method + "-" + std::to_string(seed);
  run.folder = "runs/" + run.name;
  run.task = "classify";
  run.architecture = "cifar_resnet8";
  run.seed = seed;
  run.headline = "accuracy";
  run.value = run.validation_value = accuracy;
  run.split = "test";
  run.fingerprint = "abc";
  run.settings = {{"losses", method}, {"train.lr", "0.1"}};
  return run;
}

std::string refusal(std::vector<RunRecord> runs, const std::string& against = "") {
  try {
    compare_runs(std::move(runs), against);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "";
}

// Differences +0.01, +0.02, +0.03 of equal seeds, whatever the order in which they are given.
TEST(Compare, SeedsOfAMethodAreOneGroupAndPairedBySeed) {
  const Comparison c =
      compare_runs({run_of("alone", 2, 0.60), run_of("kd", 3, 0.73), run_of("kd", 1, 0.51),
                    run_of("alone", 3, 0.70), run_of("alone", 1, 0.50), run_of("kd", 2, 0.62)},
                   "");
  ASSERT_EQ(c.groups.size(), 2U);
  EXPECT_EQ(c.groups[0].name, "alone");
  EXPECT_EQ(c.groups[0].runs[0].seed, 1);
  EXPECT_NEAR(c.groups[0].value.mean, 0.6, 1e-12);
  EXPECT_EQ(c.groups[1].pairing, Pairing::seeds);
  EXPECT_EQ(c.groups[1].pairs, 3);
  EXPECT_NEAR(c.groups[1].difference.value, 0.02, 1e-12);
  EXPECT_THAT(verdicts(c).at(0), HasSubstr("3 seeds cannot tell them apart"));
  ASSERT_EQ(c.differing.size(), 1U);
  EXPECT_EQ(c.differing[0].first, "losses");
}

TEST(Compare, ALossIsBetterWhenItIsLower) {
  std::vector<RunRecord> runs;
  for (std::int64_t seed = 1; seed <= 3; ++seed) {
    for (auto [method, value] :
         {std::pair{"a", 2.0}, std::pair{"b", 1.0 + 0.01 * static_cast<double>(seed)}}) {
      runs.push_back(run_of(method, seed, value));
      runs.back().headline = "loss";
    }
  }
  EXPECT_THAT(verdicts(compare_runs(runs, "a")).at(0), HasSubstr("b is better than a"));
}

TEST(Compare, OneRunEachIsPairedByThePicturesBothAnswered) {
  RunRecord a = run_of("a", 1, 0.5), b = run_of("b", 1, 0.7);
  for (int i = 0; i < 100; ++i) {
    const std::string input = "test/" + std::to_string(i);
    if (i < 90) a.answers[input] = {.label = "x", .answer = i % 2 == 0 ? "x" : "y", .teacher = ""};
    b.answers[input] = {.label = "x", .answer = i % 2 == 0 || i % 5 == 0 ? "x" : "y", .teacher = ""};
  }
  const Comparison c = compare_runs({a, b}, "");
  EXPECT_EQ(c.groups[1].pairing, Pairing::samples);
  EXPECT_EQ(c.groups[1].pairs, 90);
  EXPECT_NEAR(c.groups[1].difference.value, 0.1, 1e-12);  // 9 of 90 are odd multiples of 5
  EXPECT_FALSE(c.groups[1].difference.cannot_tell());
}

TEST(Compare, WithoutSeedsOrPicturesInCommonNothingIsSaid) {
  const Comparison c = compare_runs({run_of("a", 1, 0.5), run_of("b", 2, 0.9)}, "");
  EXPECT_EQ(c.groups[1].pairing, Pairing::none);
  EXPECT_THAT(verdicts(c).at(0), HasSubstr("nothing can be said"));
}

TEST(Compare, WhatWasMeasuredOnOtherPicturesIsRefused) {
  RunRecord other = run_of("b", 1, 0.9);
  other.fingerprint = "def";
  EXPECT_THAT(refusal({run_of("a", 1, 0.5), other}), HasSubstr("samples they were measured on"));
  other = run_of("b", 1, 0.9);
  other.split = "validation";
  EXPECT_THAT(refusal({run_of("a", 1, 0.5), other}), HasSubstr("measured split"));
  other = run_of("b", 1, 0.9);
  other.headline = "loss";
  EXPECT_THAT(refusal({run_of("a", 1, 0.5), other}), HasSubstr("figure"));
}

TEST(Compare, TheSameRunOrSeedTwiceIsRefused) {
  EXPECT_THAT(refusal({run_of("a", 1, 0.5), run_of("a", 1, 0.5)}), HasSubstr("given twice"));
  RunRecord copy = run_of("a", 1, 0.5);
  copy.folder = "elsewhere/a-1";
  EXPECT_THAT(refusal({run_of("a", 1, 0.5), copy, run_of("b", 1, 0.5)}), HasSubstr("same seed 1"));
  EXPECT_THAT(refusal({run_of("a", 1, 0.5)}), HasSubstr("two or more"));
}

TEST(Compare, AnUnknownReferenceNamesTheNearest) {
  EXPECT_THAT(refusal({run_of("alone", 1, 0.5), run_of("kd", 1, 0.6)}, "alon"), HasSubstr("alone"));
  EXPECT_EQ(compare_runs({run_of("alone", 1, 0.5), run_of("kd", 1, 0.6)}, "kd-1").reference, 1U);
}

TEST(Compare, MethodsOfOneFolderNameKeepNamesOfTheirOwn) {
  RunRecord other = run_of("a", 2, 0.6);
  other.settings["train.lr"] = "0.2";
  const Comparison c = compare_runs({run_of("a", 1, 0.5), other}, "");
  EXPECT_EQ(c.groups[0].name, "a");
  EXPECT_EQ(c.groups[1].name, "a (2)");
}

TEST(Compare, ThePageHoldsEveryMethodEscaped) {
  const std::string html =
      render_report(comparison_page(compare_runs({run_of("<script>", 1, 0.5), run_of("kd", 1, 0.6)}, "")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(html, HasSubstr("60.00 %"));
}

TEST(RunRecord, AFolderWithoutASummaryIsNamed) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "unfinished-run";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.yaml") << "task: classify\n";
  try {
    read_run(folder.string());
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::missing_input);
    EXPECT_THAT(error.what(), HasSubstr("has not ended"));
  }
}

}  // namespace
}  // namespace mgd
