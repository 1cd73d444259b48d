// `similarity` against scripts/fixtures/make_similarity.py, and what it remembers.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "loss/fixture.h"
#include "mgd/core/error.h"
#include "mgd/loss/pieces.h"

namespace mgd {
namespace {

using namespace test;
using testing::AllOf;
using testing::HasSubstr;

NodeInfo info_of_sample(const at::Tensor& tap) {
  return {.axes = tap.dim() == 4 ? Axes::map : Axes::vector, .sizes = tap.sizes().slice(1).vec()};
}

struct Story {  // one case of the fixture
  std::string name;
  Tensors tensors;
  bool samples() const { return tensors.contains("option/queue"); }
  int steps() const { return samples() ? 3 : 1; }
  const at::Tensor& at(const std::string& key) const { return tensors.at(key); }

  std::unique_ptr<Loss> loss() const {
    std::vector<std::pair<std::string, std::string>> fields{
        {"temperature", fmt::format("{:.17g}", scalar(at("option/temperature")))}};
    if (samples())
      fields.emplace_back("queue", fmt::format("{}", scalar(at("option/queue"))));
    else
      fields.emplace_back("among", "positions");
    LossContext context = context_of({1, 1, 1}, {1, 1, 1});
    context.student["feat"] = info_of_sample(at("0/in/student"));
    context.teacher["feat"] = info_of_sample(at("0/in/teacher"));
    auto loss = make_loss(entry_of("similarity", fields), context);
    return loss;
  }
  Case step(int s, at::ScalarType dtype) const {
    Case c;
    c.student["feat"] = at(fmt::format("{}/in/student", s)).to(dtype).clone().set_requires_grad(true);
    c.teacher["feat"] = at(fmt::format("{}/in/teacher", s)).to(dtype);
    c.batch.sample_ids.resize(static_cast<std::size_t>(c.student["feat"].size(0)));
    return c;
  }
};

std::vector<Story> stories() {
  std::map<std::string, Story> all;
  for (const auto& [key, tensor] : read_fixture("similarity")) {
    all[key.substr(0, 2)].name = key.substr(0, 2);
    all[key.substr(0, 2)].tensors[key.substr(3)] = tensor;
  }
  std::vector<Story> list;
  for (auto& [name, story] : all) list.push_back(std::move(story));
  return list;
}

double distance(const at::Tensor& got, const at::Tensor& exact) {
  const at::Tensor error = at::abs(got.detach().to(at::kDouble).reshape(exact.sizes()) - exact);
  return scalar(at::max(error)) / std::max(1.0, scalar(at::max(at::abs(exact))));
}

Case part_of(const Case& whole, std::int64_t first, std::int64_t count) {
  Case part;
  part.student["feat"] = whole.student.at("feat").narrow(0, first, count);
  part.teacher["feat"] = whole.teacher.at("feat").narrow(0, first, count);
  part.batch.sample_ids.resize(static_cast<std::size_t>(count));
  return part;
}

// A step in micro-batches of at most `micro`; what they add up to, an undefined tensor where nothing counts.
at::Tensor take_step(Loss& loss, const Case& whole, std::int64_t micro) {
  loss.begin_step();
  at::Tensor total;
  for (std::int64_t first = 0; first < whole.batch.size(); first += micro) {
    const Case part = part_of(whole, first, std::min(micro, whole.batch.size() - first));
    if (loss.remembers()) loss.see(part.input());
    if (loss.count(part.count_input()) == 0) continue;
    EXPECT_EQ(loss.count(part.count_input()), static_cast<double>(part.batch.size()));
    const at::Tensor sum = loss.sum(part.input());
    total = total.defined() ? total + sum : sum;
  }
  loss.end_step();
  return total;
}

TEST(Similarity, AgreesWithTheFormulaOverThreeStepsAndInMicroBatches) {
  const auto all = stories();
  ASSERT_EQ(all.size(), 20U);
  for (const Story& story : all)
    for (const auto dtype : {at::kDouble, at::kFloat})
      for (const std::int64_t micro : {100, 1}) {
        SCOPED_TRACE(
            fmt::format("{} {} micro {}", story.name, dtype == at::kDouble ? "double" : "float", micro));
        constexpr double kNear = 1e-6;
        const auto loss = story.loss();
        set_blocks(*loss, story.tensors, dtype);
        for (int s = 0; s < story.steps(); ++s) {
          const Case whole = story.step(s, dtype);
          const at::Tensor total = take_step(*loss, whole, micro);
          const std::string at = fmt::format("{}/", s);
          if (story.samples() && s == 0) {
            EXPECT_FALSE(total.defined()) << "nothing is held yet";
            continue;
          }
          ASSERT_TRUE(total.defined());
          EXPECT_EQ(total.scalar_type(), dtype);
          total.backward();
          EXPECT_LE(distance(total, story.at(at + "sum")), kNear);
          EXPECT_LE(distance(whole.student.at("feat").grad(), story.at(at + "grad/student")), 2 * kNear);
          if (!loss->trainable()) continue;
          for (auto& entry : loss->trainable()->parameters()) {
            EXPECT_LE(distance(entry.tensor.grad(), story.at(at + "grad/" + entry.name)), 2 * kNear)
                << entry.name;
            entry.tensor.mutable_grad().reset();
          }
        }
      }
}

// The oldest goes first, whatever the steps' sizes; the order does not matter to the loss.
TEST(Similarity, HoldsTheLastOnes) {
  for (const Story& story : stories()) {
    if (!story.samples()) continue;
    const auto loss = story.loss();
    set_blocks(*loss, story.tensors, at::kDouble);
    std::int64_t seen = 0;
    for (int s = 0; s < 3; ++s) {
      take_step(*loss, story.step(s, at::kDouble), 2);
      seen += story.at(fmt::format("{}/in/student", s)).size(0);
    }
    const at::Tensor& expected = story.at("held");
    at::Tensor held;
    for (const auto& entry : loss->trainable()->buffers())
      if (entry.name == "queue.held") held = entry.tensor.to(at::kDouble);
    const auto size = static_cast<std::int64_t>(scalar(story.at("option/queue")));
    EXPECT_EQ(loss->memory(),
              fmt::format("holds {} of {} earlier embeddings of the teacher", std::min(seen, size), size));
    for (std::int64_t i = 0; i < expected.size(0); ++i)
      EXPECT_EQ((held - expected[i]).abs().sum(1).lt(1e-6).sum().item<std::int64_t>(), 1)
          << story.name << " " << i;
  }
}

TEST(Similarity, WhatIsNearlyTheFormulaWouldFail) {
  std::map<std::string, double> farthest;
  for (const Story& story : stories())
    for (const auto& [key, tensor] : story.tensors)
      if (const auto miss = key.find("/miss/"); miss != std::string::npos) {
        double& most = farthest[key.substr(miss + 6)];
        most = std::max(most, distance(tensor, story.at(key.substr(0, miss) + "/sum")));
      }
  EXPECT_EQ(farthest.size(), 5U);
  for (const auto& [miss, most] : farthest) EXPECT_GT(most, 1e-2) << miss;
}

// A step whose update is not made leaves the queue as it was.
TEST(Similarity, AStepWithoutAnUpdateIsForgotten) {
  const Story story = stories().front();
  const auto loss = story.loss();
  take_step(*loss, story.step(0, at::kDouble), 9);
  const std::string before = loss->memory();
  loss->begin_step();
  loss->see(story.step(1, at::kDouble).input());
  loss->begin_step();
  EXPECT_EQ(loss->memory(), before);
  loss->end_step();
  EXPECT_EQ(loss->memory(), before);
}

TEST(Similarity, LargeMapsComeInPieces) {
  LossContext context = context_of({3, 32, 32}, {3, 32, 32});
  const auto loss = make_loss(entry_of("similarity", {{"among", "positions"}}), context);
  const auto sums = [&](std::int64_t batch) {
    Case c;
    c.student["feat"] = drawn({batch, 3, 32, 32}, 1, 1).set_requires_grad(true);
    c.teacher["feat"] = drawn({batch, 3, 32, 32}, 2, 1);
    c.batch.sample_ids.resize(static_cast<std::size_t>(batch));
    return c;
  };
  const Case all = sums(20);  // 16 at once
  const at::Tensor whole = loss->sum(all.input());
  whole.backward();
  at::Tensor gradient = all.student.at("feat").grad().clone();
  all.student.at("feat").mutable_grad().reset();
  double apart = 0;
  for (std::int64_t b = 0; b < 20; b += 5) {
    const at::Tensor some = loss->sum(part_of(all, b, 5).input());
    some.backward();
    apart += scalar(some);
  }
  EXPECT_NEAR(scalar(whole), apart, 1e-9 * apart);
  EXPECT_LE(distance(gradient, all.student.at("feat").grad()), 1e-12);
}

TEST(Similarity, WhatDoesNotFitIsRefused) {
  LossContext context = context_of({4, 3, 3}, {6, 3, 3});
  context.num_samples = 100;
  EXPECT_THAT(message_of(entry_of("similarity", {{"queue", "101"}}), context),
              AllOf(HasSubstr("test.yaml:1:2"), HasSubstr("101"), HasSubstr("100 training samples")));
  EXPECT_THAT(make_loss(entry_of("similarity"), context)->describe(), HasSubstr("against 25 earlier"));
  EXPECT_THAT(message_of(entry_of("similarity", {{"among", "positions"}, {"queue", "16"}}), context),
              HasSubstr("queue"));
  context.teacher["feat"].sizes = {6, 1, 1};
  EXPECT_THAT(message_of(entry_of("similarity", {{"among", "positions"}}), context),
              HasSubstr("one position"));
  EXPECT_THAT(message_of(entry_of("similarity", {{"temperature", "0"}}), context), HasSubstr("temperature"));
}

}  // namespace
}  // namespace mgd
