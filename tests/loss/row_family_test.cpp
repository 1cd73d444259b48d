// Losses between rows against scripts/fixtures/make_row_losses.py: 20 cases a loss, the step's mean and all
// gradients, and what is nearly the formula told from it.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/max.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "loss/fixture.h"
#include "mgd/core/error.h"

namespace mgd {
namespace {

using namespace test;
using testing::HasSubstr;

constexpr double kInDouble = 1e-12, kInFloat = 1e-6;

struct RowCase {
  std::string name;
  Tensors tensors;

  bool has(const std::string& key) const { return tensors.contains(key); }
  const at::Tensor& at(const std::string& key) const { return tensors.at(key); }
  double number(const std::string& key) const { return scalar(tensors.at(key)); }
};

std::vector<RowCase> cases_of(const std::string& loss) {
  std::map<std::string, RowCase> cases;
  for (const auto& [key, tensor] : read_fixture("rows_" + loss)) {
    RowCase& c = cases[key.substr(0, 2)];
    c.name = loss + " " + key.substr(0, 2);
    c.tensors[key.substr(3)] = tensor;
  }
  std::vector<RowCase> all;
  for (auto& [name, c] : cases) all.push_back(std::move(c));
  return all;
}

std::vector<AttentionNodes> layers_of(const RowCase& c, const std::string& side) {
  std::vector<AttentionNodes> layers;
  for (int i = 0; c.has("in/" + side + ".q" + std::to_string(i)); ++i)
    layers.push_back({.nodes = {"q" + std::to_string(i), "k" + std::to_string(i), "unused"},
                      .hidden = c.at("in/" + side + ".q0").size(1),
                      .heads = static_cast<std::int64_t>(c.number("context/heads")),
                      .causal = side == "student" && c.number("context/causal") > 0,
                      .window = static_cast<std::int64_t>(c.number("context/" + side + "_window")),
                      .rope_theta = c.number("context/rope"),
                      .input = "h" + std::to_string(i),
                      .output = "h" + std::to_string(i + 1)});
  return layers;
}

std::vector<std::unique_ptr<Loss>> losses_of(const std::string& name, const RowCase& c) {
  LossContext context;
  const auto rows = [](const at::Tensor& t) { return NodeInfo{.axes = Axes::rows, .sizes = {t.size(1)}}; };
  for (const auto& [key, tensor] : c.tensors) {
    if (key.starts_with("in/student.")) context.student[key.substr(11)] = rows(tensor);
    if (key.starts_with("in/teacher.")) context.teacher[key.substr(11)] = rows(tensor);
  }
  context.student_default_tap = context.teacher_default_tap = "h";
  std::vector<std::pair<std::string, std::string>> fields;
  if (name == "tinybert") {
    context.student_attention = layers_of(c, "student");
    context.teacher_attention = layers_of(c, "teacher");
    for (const char* key : {"attention_weight", "hidden_weight"})
      fields.emplace_back(key, fmt::format("{:g}", c.number(std::string("option/") + key)));
    fields.emplace_back("embeddings", c.number("option/embeddings") > 0 ? "true" : "false");
    if (c.has("in/align.weight")) fields.emplace_back("align", "always");
  } else if (name == "embedding") {
    context.teacher["embedding"] = {.axes = Axes::vector, .sizes = {c.at("in/teacher").size(1)}};
    context.answers = AnswerKind::embedding;
    context.embedding_size = c.at("in/student").size(1);
    context.teacher_embedding_size = c.at("in/teacher").size(1);
    fields.emplace_back("reduce", "pca");
  } else if (name == "mgd") {
    fields = {{"generator", "transformer"},
              {"generator_heads", fmt::format("{:g}", c.number("context/heads"))},
              {"align", "always"},
              {"on", c.number("option/on_hidden") > 0 ? "hidden" : "all"},
              {"fill", c.has("in/mask_token") ? "token" : "zero"}};
  }
  return make_losses(entry_of(name, fields), context);
}

Case inputs_of(const RowCase& c, at::ScalarType dtype, Tensors& leaves) {
  Case inputs;
  for (const auto& [key, tensor] : c.tensors) {
    if (key.starts_with("in/student.")) {
      const at::Tensor leaf = tensor.to(dtype).clone().set_requires_grad(true);
      inputs.student[key.substr(11)] = leaves[key.substr(3)] = leaf;
    }
    if (key.starts_with("in/teacher.")) inputs.teacher[key.substr(11)] = tensor.to(dtype);
  }
  std::int64_t texts = 0;
  if (c.has("in/offsets")) {
    const at::Tensor& offsets = c.at("in/offsets");
    const auto* data = offsets.const_data_ptr<std::int64_t>();
    inputs.batch.tokens.offsets.assign(data, data + offsets.numel());
    texts = offsets.numel() - 1;
  } else {
    texts = c.at("in/student").size(0);
    for (std::int64_t s = 0; s <= texts; ++s) inputs.batch.tokens.offsets.push_back(s);
    inputs.student_embedding = leaves["student"] =
        c.at("in/student").to(dtype).clone().set_requires_grad(true);
  }
  inputs.batch.sample_ids.resize(static_cast<std::size_t>(texts));
  if (c.has("in/keep")) inputs.keep = c.at("in/keep").to(at::kBool);
  return inputs;
}

// What a step adds: weight * sum / count of each.
at::Tensor step_of(const std::vector<std::unique_ptr<Loss>>& losses, Case& inputs, const RowCase& c,
                   at::ScalarType dtype) {
  at::Tensor total;
  for (const auto& loss : losses) {
    const LossInput input = inputs.input();
    if (c.has("in/teacher")) inputs.teacher_record.embedding = c.at("in/teacher").to(dtype);
    const at::Tensor part = loss->sum(input) * (loss->weight() / loss->count(inputs.count_input()));
    total = total.defined() ? total + part : part;
  }
  return total;
}

void survey(Loss& loss, const RowCase& c, at::ScalarType dtype) {
  if (!loss.wants_survey()) return;
  const at::Tensor all = c.at("in/survey.teacher").to(dtype);
  Case part;
  for (const auto& [first, count] : {std::pair<std::int64_t, std::int64_t>{0, 5}, {5, all.size(0) - 5}}) {
    const LossInput input = part.input();
    part.teacher_record.embedding = all.narrow(0, first, count);
    loss.survey(input);
  }
  EXPECT_THAT(loss.end_survey(), HasSubstr(fmt::format("of {} training texts", all.size(0))));
}

double largest(const at::Tensor& values) {
  return scalar(at::max(at::abs(values)));
}

void expect_near(const at::Tensor& got, const at::Tensor& exact, double tolerance, const std::string& what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.numel(), exact.numel()) << what;
  const double error = largest(got.detach().to(at::kDouble).reshape(exact.sizes()) - exact);
  EXPECT_LE(error, tolerance) << what << ": " << largest(exact);
}

// In float a case is judged by its largest number: the gradient of a bias is a sum that cancels.
double scale_of(const RowCase& c, const at::Tensor& exact, at::ScalarType dtype) {
  double scale = std::max(1.0, largest(exact));
  if (dtype == at::kDouble) return scale;
  for (const auto& [key, tensor] : c.tensors)
    if (key.starts_with("grad/") || key == "mean") scale = std::max(scale, largest(tensor));
  return scale;
}

class RowFamily : public testing::TestWithParam<std::string> {};

TEST_P(RowFamily, AgreesWithTheFormulaInValueAndGradient) {
  const auto cases = cases_of(GetParam());
  ASSERT_EQ(cases.size(), 20U);
  for (const RowCase& c : cases)
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      SCOPED_TRACE(c.name + (dtype == at::kDouble ? " double" : " float"));
      // Angles of models are float, whatever their rows are.
      const bool turned = c.has("context/rope") && c.number("context/rope") > 0;
      const double tolerance = dtype == at::kDouble && !turned ? kInDouble : kInFloat;
      const std::vector<std::unique_ptr<Loss>> losses = losses_of(GetParam(), c);
      Tensors leaves;
      Case inputs = inputs_of(c, dtype, leaves);
      for (const auto& loss : losses) {
        set_blocks(*loss, c.tensors, dtype);
        survey(*loss, c, dtype);
        if (loss->trainable())
          for (const auto& entry : loss->trainable()->parameters()) leaves[entry.name] = entry.tensor;
      }
      const at::Tensor total = step_of(losses, inputs, c, dtype);
      EXPECT_EQ(total.scalar_type(), dtype);
      total.backward();
      expect_near(total, c.at("mean"), tolerance * scale_of(c, c.at("mean"), dtype), "mean");
      std::size_t compared = 0;
      for (const auto& [key, exact] : c.tensors) {
        if (!key.starts_with("grad/")) continue;
        const at::Tensor got = leaves.at(key.substr(5)).grad();
        ++compared;
        if (got.defined())
          expect_near(got, exact, tolerance * scale_of(c, exact, dtype), key);
        else
          EXPECT_EQ(largest(exact), 0) << key;  // not asked for, and rightly
      }
      EXPECT_EQ(compared, leaves.size());
    }
}

// Each is farther from the formula than the float tolerance, and in the worst case by per cents.
TEST_P(RowFamily, WhatIsNearlyTheFormulaWouldFail) {
  std::map<std::string, double> distance;
  for (const RowCase& c : cases_of(GetParam()))
    for (const auto& [key, tensor] : c.tensors) {
      if (!key.starts_with("miss/")) continue;
      const double exact = c.number("mean");
      double& farthest = distance[key.substr(5)];
      farthest = std::max(farthest, std::abs(scalar(tensor) - exact) / std::max(1.0, std::abs(exact)));
    }
  EXPECT_GE(distance.size(), 3U);
  for (const auto& [miss, farthest] : distance) EXPECT_GT(farthest, 1e4 * kInFloat) << miss;
}

INSTANTIATE_TEST_SUITE_P(Losses, RowFamily, testing::Values("tinybert", "cosine", "embedding", "mgd"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace mgd
