#include "mgd/train/term_shares.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "mgd/train/checkpoint.h"
#include "mgd/train/finish.h"
#include "mgd/train/step.h"
#include "mgd/train/survey.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

at::Tensor parameter(std::vector<double> values) {
  return at::tensor(values).set_requires_grad(true);
}

std::vector<NamedTensor> named(const std::vector<at::Tensor>& tensors) {
  std::vector<NamedTensor> all;
  for (const auto& tensor : tensors) all.push_back({.name = "p", .tensor = tensor});
  return all;
}

StepTerm term(const char* label, const at::Tensor& sum, double weight = 1, double count = 1) {
  return {.label = label, .weight = weight, .count = count, .sum = sum};
}

std::vector<double> norms(const std::vector<TermGradient>& gradients) {
  std::vector<double> all;
  for (const TermGradient& g : gradients) all.push_back(g.norm);
  return all;
}

// d (3 a0 + 4 a1) = (3, 4); d b^2 = 2 b; a shared by both, b by the second alone.
TEST(TermGradients, AreThoseAtTheSharedParameters) {
  const at::Tensor a = parameter({1, 2}), b = parameter({6});
  const at::Tensor first = 3 * a[0] + 4 * a[1], second = at::sum(a * a) + at::sum(b * b);
  const auto both = term_gradients({term("first", first, 2, 10), term("second", second)}, named({a, b}));
  EXPECT_THAT(norms(both), ElementsAre(1.0, 2 * std::sqrt(5.0)));  // 2 / 10 * 5; 12 of b is not in it
  const auto alone = term_gradients({term("second", second)}, named({a, b}));
  EXPECT_THAT(norms(alone), ElementsAre(std::sqrt(20.0 + 144.0)));
}

TEST(TermGradients, CountEveryParameterWhereNoneIsShared) {
  const at::Tensor a = parameter({1, 2}), b = parameter({6});
  const auto apart =
      term_gradients({term("a", at::sum(3 * a)), term("b", at::sum(b * b), -1)}, named({a, b}));
  EXPECT_THAT(norms(apart), ElementsAre(std::sqrt(18.0), 12.0));
}

TEST(TermGradients, SayWhatReachesNothingAndWhatIsZero) {
  const at::Tensor a = parameter({1, 2}), block = parameter({5}), frozen = at::tensor({1.0});
  const auto gradients = term_gradients({term("a", at::sum(a)), term("zero", at::sum(0 * a)),
                                         term("own", at::sum(block)), term("constant", at::sum(frozen))},
                                        named({a, frozen}));
  ASSERT_EQ(gradients.size(), 4U);
  EXPECT_THAT(norms(gradients), ElementsAre(std::sqrt(2.0), 0.0, 0.0, 0.0));
  EXPECT_TRUE(gradients[1].reaches);
  EXPECT_FALSE(gradients[2].reaches);
  EXPECT_FALSE(gradients[3].reaches);
}

TEST(TermGradients, AddUpThePartsOfALabel) {
  const at::Tensor a = parameter({1, 2});
  const auto gradients =
      term_gradients({term("x", 3 * a[0]), term("y", a[0]), term("x", 4 * a[1])}, named({a}));
  EXPECT_THAT(norms(gradients), ElementsAre(5.0, 1.0));
}

TEST(TermGradients, AreNoneWhereOneIsNotFinite) {
  const at::Tensor a = parameter({1, 2});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(term_gradients({term("x", at::sum(a)), term("y", at::sum(nan * a))}, named({a})), IsEmpty());
}

std::vector<std::string> lines_of(TermShares& shares, std::int64_t step, double a, double b) {
  return shares.add(step, {{.label = "a", .weight = 1, .reaches = true, .norm = a},
                           {.label = "b", .weight = 2e-5, .reaches = true, .norm = b}});
}

TEST(TermShares, ATermBelowAThousandthIsToldOnceWithTheWeightForATenth) {
  TermShares shares;
  EXPECT_THAT(lines_of(shares, 10, 1, 5e-4), IsEmpty());  // one measure may be a chance
  EXPECT_THAT(lines_of(shares, 40, 1, 4e-4),
              ElementsAre("losses.b: it has 0.04 % of the gradient at step 40 and does next to nothing; with "
                          "weight 0.0056 instead of 2e-05 it would have a tenth"));
  EXPECT_THAT(lines_of(shares, 400, 1, 4e-4), IsEmpty());
  const double norm = 4e-4 / 2e-5 * shares.terms[1].weight_for_tenth;
  EXPECT_NEAR(norm / (1 + norm), 0.1, 1e-12);
  EXPECT_EQ(shares.terms[1].measures, 3);
}

TEST(TermShares, NearMissesAreNotTold) {
  for (const auto& [first, second] : {std::pair{1.1e-3, 1.1e-3}, {2e-3, 1e-5}, {1e-5, 2e-3}}) {
    TermShares shares;
    EXPECT_THAT(lines_of(shares, 10, 1, first), IsEmpty());
    EXPECT_THAT(lines_of(shares, 40, 1, second), IsEmpty());
    EXPECT_THAT(lines_of(shares, 400, 1, 1e-6), IsEmpty()) << "it has done its work";
  }
  TermShares alone;  // another loss had nothing in these steps
  for (const std::int64_t step : {10, 40})
    EXPECT_THAT(alone.add(step, {{.label = "a", .weight = 1, .reaches = true, .norm = 1}}), IsEmpty());
  EXPECT_THAT(alone.terms, IsEmpty());
}

TEST(TermShares, NothingIsSaidInOtherWordsThanNextToNothing) {
  TermShares shares;
  lines_of(shares, 10, 1, 0);
  EXPECT_THAT(lines_of(shares, 40, 1, 0),
              ElementsAre("losses.b: its gradient is exactly zero in all 2 measures from step 10 to 40: it "
                          "changes nothing of the student"));
  TermShares frozen;
  EXPECT_THAT(
      frozen.add(10, {{.label = "a", .weight = 1, .reaches = true, .norm = 1},
                      {.label = "b", .weight = 1, .reaches = false, .norm = 0}}),
      ElementsAre("losses.b: its gradient reaches no parameter of the student that trains: it changes "
                  "nothing of the student"));
}

TEST(TermShares, AreMeasuredSeldom) {
  std::vector<std::int64_t> steps;
  for (std::int64_t step = 0; step <= 2500; ++step)
    if (TermShares::due(step, 3)) steps.push_back(step);
  EXPECT_THAT(steps, ElementsAre(10, 40, 1200, 2400));
  EXPECT_FALSE(TermShares::due(10, 1));
}

std::map<std::string, at::Tensor> gradients_of(const Run& run) {
  std::map<std::string, at::Tensor> all;
  for (const auto& entry : run.trainable())
    if (entry.tensor.grad().defined()) all[entry.name] = entry.tensor.grad().clone();
  return all;
}

// The update must not know of the measure: every gradient, statistic and loss is the same to the last bit.
void expect_measured_in_secret(const Config& config) {
  const auto step = [&](bool measure, StepResult& result) {
    const auto run = make_run(config);
    survey_teachers(*run);
    const StepBatches batches = run->loader->next();
    result = forward_backward(*run, batches, 3, measure);
    auto all = gradients_of(*run);
    for (const auto& entry : run->buffers()) all[entry.name] = entry.tensor.clone();
    return all;
  };
  StepResult plain, measured;
  const auto expected = step(false, plain), got = step(true, measured);
  const std::string options = to_yaml_flow(write_options(config.train));
  EXPECT_EQ(plain.loss, measured.loss);
  EXPECT_THAT(plain.gradients, IsEmpty());
  EXPECT_EQ(measured.gradients.size(), plain.parts.size()) << options;
  EXPECT_THAT(measured.terms, IsEmpty());
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, value] : expected) EXPECT_TRUE(at::equal(got.at(name), value)) << name << options;
}

TEST(TermShares, MeasuringChangesNoBitOfAStepOnPictures) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  const std::string most =
      "losses=[{name: cross_entropy}, {name: kd}, {name: mgd}, {name: mimic}, {name: at}, {name: cwd}, "
      "{name: "
      "rkd}, {name: dist, temperature: 2}, {name: review}, {name: nkd}, {name: mgd, label: chosen, mask: "
      "student, on: hidden}]";
  for (const std::vector<std::string>& extra : std::vector<std::vector<std::string>>{
           {},
           {"train.precision=bf16"},
           {"train.micro_batch_size=4"},
           {"train.winograd=true"},
           {"train.channels_last=false"},
           {"train.freeze=[conv1, layer1]"},
           {"masks=[{node: layer1, mask: channel, mask_ratio: 0.2, fill: learned}]"}}) {
    std::vector<std::string> all{teacher, most};
    all.insert(all.end(), extra.begin(), extra.end());
    expect_measured_in_secret(toy::config(folder, all));
  }
  expect_measured_in_secret(toy::config(
      folder, {teacher, "train.freeze=[all but the head]", "losses=[{name: cross_entropy}, {name: kd}]"}));
  expect_measured_in_secret(toy::config(
      folder, {teacher, "train.micro_batch_size=4", "losses=[{name: cross_entropy}, {name: mgd}]"}));
}

TEST(TermShares, MeasuringChangesNoBitOfAStepOnTexts) {
  const toy::TempFolder folder;
  for (const auto& [task, losses] :
       {std::pair{"mlm", "{name: cross_entropy}, {name: kd}, {name: mgd}, {name: minilm, relation_heads: 2}"},
        {"clm", "{name: cross_entropy}, {name: kd}, {name: mgd}"},
        {"classify", "{name: cross_entropy}, {name: kd}, {name: mgd}"},
        {"embed", "{name: embedding}, {name: cosine_similarity}"}}) {
    const Config of_teacher = toy::text_config(folder, task, {"student.hidden_size=32", "train.epochs=1"});
    const auto run = make_run(of_teacher);
    const std::string teacher = folder / (std::string(task) + "-teacher");
    export_student(*run, teacher);
    for (const char* micro : {"0", "8"})
      expect_measured_in_secret(toy::text_config(folder, task,
                                                 {"teacher=" + teacher, fmt::format("losses=[{}]", losses),
                                                  fmt::format("train.micro_batch_size={}", micro)}));
  }
}

// The same norms by another way: each loss alone in a run of its own, its .grad by the ordinary backward
// pass.
TEST(TermShares, AreThoseOfEachLossAlone) {
  const toy::TempFolder folder;
  const std::string teacher = toy::teacher(folder);
  const std::vector<std::string> entries{"{name: cross_entropy, weight: 0.5}", "{name: mgd, weight: 2e-5}",
                                         "{name: at, student_tap: layer2, teacher_tap: layer2}",
                                         "{name: dkd, warmup_epochs: 20}"};
  const auto run =
      make_run(toy::config(folder, {teacher, fmt::format("losses=[{}]", fmt::join(entries, ", "))}));
  const StepBatches batches = run->loader->next();
  const auto measured = forward_backward(*run, batches, 0, /*measure_terms=*/true).gradients;
  ASSERT_EQ(measured.size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto alone = make_run(toy::config(folder, {teacher, "losses=[" + entries[i] + "]"}));
    forward_backward(*alone, alone->loader->next(), 0);
    double square = 0;
    for (const auto& [name, gradient] : gradients_of(*alone))
      // layer3 and linear are not reached from layer2, nor linear from layer3.
      if (name.starts_with("student/") && !name.starts_with("student/layer3") &&
          !name.starts_with("student/linear"))
        square += std::pow(gradient.norm().item<double>(), 2);
    const double now = i == 3 ? 20 : 1;  // the first of 20 epochs; it is judged by what its weight rises to
    EXPECT_NEAR(measured[i].norm, now * std::sqrt(square), 1e-5 * now * std::sqrt(square)) << entries[i];
  }
}

std::vector<nlohmann::json> share_rows(const fs::path& folder) {
  std::vector<nlohmann::json> rows;
  std::ifstream in(folder / "metrics.jsonl");
  for (std::string line; std::getline(in, line);)
    if (line.find("grad_share") != std::string::npos) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

TEST(TermShares, ARunLogsThemTellsOfThemAndKeepsThem) {
  const toy::TempFolder folder;
  const auto config = [&](const std::string& weight, const std::vector<std::string>& extra) {
    std::vector<std::string> all{toy::teacher(folder), "train.epochs=11", "train.schedule=constant",
                                 "losses=[{name: cross_entropy}, {name: mgd, weight: " + weight + "}]"};
    all.insert(all.end(), extra.begin(), extra.end());
    return toy::config(folder, all);
  };
  const auto train_in = [&](const std::string& name, const Config& config, toy::Notes& notes,
                            RunFolder::Open open = RunFolder::Open::create) {
    const auto run = make_run(config);
    const RunFolder run_folder(folder / name, open);
    return train(*run, run_folder, {}, notes.events());
  };
  toy::Notes notes, resumed, heavy, off;
  const TrainResult result = train_in("whole", config("2e-5", {}), notes);
  EXPECT_THAT(notes.lines, Contains(AllOf(HasSubstr("losses.mgd"), HasSubstr("at step 40"))).Times(1));
  const auto rows = share_rows(folder / "whole");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].at("step"), 40);
  EXPECT_NEAR(
      rows[1].at("grad_share/mgd").get<double>() + rows[1].at("grad_share/cross_entropy").get<double>(), 1,
      1e-12);
  ASSERT_EQ(result.shares.terms.size(), 2U);
  EXPECT_EQ(result.shares.terms[1].last, rows[1].at("grad_share/mgd"));

  // A row of its own where nothing else is logged; a resumed run goes on with what was measured before it.
  Config half = config("2e-5", {"train.log_every=7"});
  half.train.max_steps = 21;
  train_in("parts", half, resumed);
  EXPECT_THAT(resumed.lines, Not(Contains(HasSubstr("losses.mgd"))));
  train_in("parts", config("2e-5", {"train.log_every=7"}), resumed, RunFolder::Open::resume);
  EXPECT_THAT(resumed.lines, Contains(HasSubstr("losses.mgd")).Times(1));
  const auto parts = share_rows(folder / "parts");
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[1].at("grad_share/mgd"), rows[1].at("grad_share/mgd"));
  EXPECT_FALSE(parts[1].contains("loss"));

  train_in("heavy", config("1", {}), heavy);
  EXPECT_THAT(heavy.lines, Not(Contains(HasSubstr("losses.mgd"))));
  train_in("off", config("2e-5", {"train.gradient_shares=false"}), off);
  EXPECT_THAT(off.lines, Not(Contains(HasSubstr("losses.mgd"))));
  EXPECT_THAT(share_rows(folder / "off"), IsEmpty());
  const auto weights = [&](const char* name) {
    return sha256_hex(tensors_to_safetensors(
        load_newest_checkpoint(folder.path() / name / "checkpoints")->checkpoint.trained));
  };
  EXPECT_EQ(weights("off"), weights("whole"));
}

TEST(TermShares, ALossOnFrozenPartsIsTold) {
  const toy::TempFolder folder;
  const auto run =
      make_run(toy::config(folder, {toy::teacher(folder), "train.epochs=3", "train.freeze=[all but the head]",
                                    "losses=[{name: cross_entropy}, {name: mgd}]"}));
  toy::Notes notes;
  const RunFolder run_folder(folder / "run", RunFolder::Open::create);
  train(*run, run_folder, {}, notes.events());
  EXPECT_THAT(notes.lines, Contains(HasSubstr("losses.mgd: its gradient reaches no parameter")).Times(1));
}

}  // namespace
}  // namespace mgd
