// Losses on the rows of texts, against references that go sequence by sequence in double.
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "loss/rows_case.h"
#include "mgd/core/error.h"

namespace mgd {
namespace {

using namespace test;
using testing::AllOf;
using testing::HasSubstr;

at::Tensor block(Loss& loss, const std::string& name) {
  for (const NamedTensor& entry : loss.trainable()->parameters())
    if (entry.name == name) return entry.tensor.detach();
  throw std::runtime_error("no " + name);
}

at::Tensor conv_of_each(const at::Tensor& x, Loss& loss, const std::string& layer) {
  std::vector<at::Tensor> parts;
  for (std::size_t s = 0; s + 1 < kOffsets.size(); ++s) {
    const at::Tensor rows = x.narrow(0, kOffsets[s], kOffsets[s + 1] - kOffsets[s]).t().unsqueeze(0);
    parts.push_back(
        at::conv1d(rows, block(loss, layer + ".weight"), block(loss, layer + ".bias"), 1, 1).squeeze(0).t());
  }
  return at::cat(parts);
}

// Equations (3) to (5) with everything computed and then hidden.
double mgd_reference(Loss& loss, const Case& c, bool hidden_only) {
  const at::Tensor aligned =
      at::linear(c.student.at("feat"), block(loss, "align.weight"), block(loss, "align.bias"));
  const at::Tensor inner = at::relu(conv_of_each(at::where(c.keep, aligned, 0.0), loss, "generation.0"));
  const at::Tensor error = at::square(conv_of_each(inner, loss, "generation.2") - c.teacher.at("feat"));
  return scalar(at::sum(hidden_only ? at::where(c.keep, 0.0, error) : error));
}

TEST(Rows, MgdIsTheDenseFormulaUnderEveryMask) {
  for (const char* on : {"all", "hidden"})
    for (const std::vector<int>& seen :
         {std::vector<int>{}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {0, 5, 9}, {6, 7, 12}}) {
      auto loss = rows_loss("mgd", {{"on", on}});
      Case c = rows_case();
      c.keep = keep_of_rows(seen);
      EXPECT_NEAR(scalar(loss->sum(c.input())), mgd_reference(*loss, c, std::string(on) == "hidden"), 1e-10)
          << on << seen.size();
      const double width = kTeacher, hidden = kRows - static_cast<double>(seen.size());
      EXPECT_EQ(loss->count(c.count_input()), std::string(on) == "all" ? kRows * width : hidden * width);
    }
}

TEST(Rows, MgdHidesSingleNodes) {
  auto loss = rows_loss("mgd", {{"mask", "element"}});
  Case c = rows_case();
  c.keep = drawn({kRows, kTeacher}, 5) > 0;
  c.keep[3].fill_(false);
  EXPECT_NEAR(scalar(loss->sum(c.input())), mgd_reference(*loss, c, false), 1e-10);
}

// Nothing that is left out changes a gradient: that of the dense formula by autograd, at the student and all
// blocks.
TEST(Rows, MgdGradientsAreThoseWithoutSkipping) {
  Case c = rows_case();
  c.keep = keep_of_rows({0, 9, 10});
  std::vector<std::vector<at::Tensor>> gradients;
  for (const char* skip : {"always", "never"}) {
    auto loss = rows_loss("mgd", {{"skip", skip}});
    c.student["feat"] = drawn({kRows, kStudent}, 1).set_requires_grad(true);
    loss->sum(c.input()).backward();
    std::vector<at::Tensor>& all = gradients.emplace_back();
    all.push_back(c.student["feat"].grad());
    for (const NamedTensor& entry : loss->trainable()->parameters()) all.push_back(entry.tensor.grad());
  }
  ASSERT_EQ(gradients[0].size(), gradients[1].size());
  for (std::size_t i = 0; i < gradients[0].size(); ++i) {
    ASSERT_TRUE(gradients[0][i].defined());
    EXPECT_TRUE(at::allclose(gradients[0][i], gradients[1][i], 1e-10, 1e-12)) << i;
  }
  EXPECT_EQ(gradients[0][0][1].abs().sum().item<double>(), 0) << "a hidden row has no gradient";
}

TEST(MaskContractOfRows, Line15_NanInHiddenRowsReachesNothing) {
  for (const auto& [fill, generator] :
       {std::pair{"zero", "conv"}, {"token", "conv"}, {"zero", "transformer"}, {"token", "transformer"}}) {
    auto loss =
        rows_loss("mgd", std::string(generator) == "conv"
                             ? Fields{{"fill", fill}}
                             : Fields{{"fill", fill}, {"generator", generator}, {"generator_heads", "1"}});
    Case c = rows_case();
    c.keep = keep_of_rows({0, 1, 9, 12});
    at::Tensor student = drawn({kRows, kStudent}, 1);
    student[3].fill_(std::numeric_limits<double>::quiet_NaN());
    c.student["feat"] = student.set_requires_grad(true);
    const at::Tensor sum = loss->sum(c.input());
    EXPECT_TRUE(std::isfinite(scalar(sum))) << fill << generator;
    sum.backward();
    EXPECT_TRUE(c.student["feat"].grad().isfinite().all().item<bool>());
    for (const NamedTensor& entry : loss->trainable()->parameters())
      EXPECT_TRUE(entry.tensor.grad().isfinite().all().item<bool>()) << entry.name;
  }
}

// The formula with loops over documents, heads and tokens.
double minilm_reference(const Case& c) {
  double total = 0;
  const char* names[] = {"query", "key", "value"};
  for (int kind = 0; kind < 3; ++kind)
    for (std::size_t s = 0; s + 1 < kOffsets.size(); ++s) {
      const std::int64_t first = kOffsets[s], length = kOffsets[s + 1] - first;
      for (std::int64_t head = 0; head < kHeads; ++head) {
        const auto relation = [&](const at::Tensor& x, std::int64_t column, std::int64_t width) {
          const at::Tensor part = x.narrow(0, first, length).narrow(1, column + head * width, width);
          return at::log_softmax(at::matmul(part, part.t()) / std::sqrt(static_cast<double>(width)), 1);
        };
        const at::Tensor student = relation(c.student.at(names[kind]), 0, kStudent / kHeads);
        const at::Tensor teacher = relation(c.teacher.at("qkv"), kind * kTeacher, kTeacher / kHeads);
        total += scalar(at::sum(teacher.exp() * (teacher - student))) / static_cast<double>(kHeads * length);
      }
    }
  return total;
}

TEST(Rows, MinilmIsTheFormula) {
  auto loss = rows_loss("minilm", {{"relation_heads", "2"}});
  Case c = rows_case();
  EXPECT_NEAR(scalar(loss->sum(c.input())), minilm_reference(c), 1e-12);
  EXPECT_EQ(loss->count(c.count_input()), 3);
  // What stands in another document changes nothing of the first: relations end where documents do.
  c.student["key"][12].fill_(100);
  const double moved = scalar(loss->sum(c.input()));
  EXPECT_NEAR(moved, minilm_reference(c), 1e-9);
}

TEST(Rows, EmbeddingIsTheSquaredDistance) {
  auto loss = rows_loss("embedding");
  Case c = rows_case();
  const LossInput input = c.input();
  c.teacher_record.embedding = drawn({3, kTeacher}, 22);
  const at::Tensor aligned =
      at::linear(c.student_embedding, block(*loss, "align.weight"), block(*loss, "align.bias"));
  EXPECT_NEAR(scalar(loss->sum(input)), scalar(at::sum(at::square(aligned - c.teacher_record.embedding))),
              1e-12);
}

TEST(Rows, WhatDoesNotFitIsRefusedWithItsPlace) {
  const auto message = [](const std::string& name, std::vector<std::pair<std::string, std::string>> fields,
                          LossContext context) {
    try {
      make_losses(entry_of(name, fields), context);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_THAT(message("cwd", {}, rows_context()), HasSubstr("expected a map (C, Y, X)"));
  EXPECT_THAT(message("minilm", {{"relation_heads", "5"}}, rows_context()),
              HasSubstr("test.yaml:1:2: losses.minilm: relation_heads: got 5"));
  EXPECT_THAT(message("minilm", {{"student_layer", "3"}}, rows_context()),
              HasSubstr("student_layer: got 3, expected 0 ... 0"));
  EXPECT_THAT(message("kd", {}, rows_context()), HasSubstr("a sentence encoder has none; use embedding"));
  for (const char* name : {"dkd", "nkd", "dist"})
    EXPECT_THAT(message(name, {}, rows_context()), HasSubstr("a sentence encoder has none; use embedding"));
  LossContext language = rows_context();
  language.answers = AnswerKind::vocabulary;
  for (const char* name : {"dkd", "nkd", "dist"})
    EXPECT_THAT(message(name, {}, language), HasSubstr("answers with a vocabulary; use kd"));
  EXPECT_EQ(message("kd", {}, language), "nothing");
  EXPECT_THAT(message("kd", {{"standardize", "true"}}, language),
              HasSubstr("test.yaml:1:2: losses.kd: standardize: it is for logits of classes"));
  EXPECT_THAT(message("mgd", {{"target", "standardized"}}, rows_context()),
              HasSubstr("test.yaml:1:2: losses.mgd: target: standardized is for maps"));
  for (const char* mask : {"student", "teacher"})
    EXPECT_THAT(message("mgd", {{"mask", mask}}, rows_context()),
                HasSubstr("test.yaml:1:2: losses.mgd: mask: " + std::string(mask)));
  EXPECT_THAT(message("tinybert", {{"layers", "[0-1]"}}, rows_context()),
              HasSubstr("test.yaml:1:2: losses.tinybert: layers: got '0-1', expected STUDENT:TEACHER"));
  EXPECT_THAT(message("tinybert", {{"layers", "[0:2]"}}, rows_context()),
              HasSubstr("got '0:2', but the teacher's layers are 0 ... 1"));
  EXPECT_THAT(message("tinybert", {{"layers", "[0:0,0:1]"}}, rows_context()),
              HasSubstr("the student's layer 0 is there twice"));
  EXPECT_THAT(message("tinybert", {{"attention_weight", "0"}, {"hidden_weight", "0"}}, rows_context()),
              HasSubstr("nothing is compared"));
  LossContext heads = rows_context();
  heads.student_attention[0].heads = 1;
  EXPECT_THAT(message("tinybert", {}, heads),
              AllOf(HasSubstr("layer 0 of the student has 1 heads and layer 1 of the teacher 2"),
                    HasSubstr("minilm cuts heads anew")));
  EXPECT_EQ(message("tinybert", {{"attention_weight", "0"}}, heads), "nothing");
  LossContext uneven = rows_context();
  uneven.student_attention.push_back(uneven.student_attention[0]);
  uneven.teacher_attention.push_back(uneven.teacher_attention[1]);
  EXPECT_THAT(message("tinybert", {}, uneven),
              HasSubstr("3 layers of the teacher are no multiple of the student's 2"));
  LossContext silent = rows_context();
  silent.teacher_attention[0].heads = 0;
  EXPECT_THAT(message("tinybert", {}, silent), HasSubstr("a layer of the teacher does not tell its queries"));
  EXPECT_THAT(message("mgd", {{"generator", "transformer"}, {"generator_heads", "2"}}, rows_context()),
              HasSubstr("generator_heads: got 2, expected a number that cuts the width 6"));
  EXPECT_THAT(message("mgd", {{"generator_heads", "2"}}, rows_context()),
              HasSubstr("it goes with generator: transformer"));
  EXPECT_THAT(message("mgd", {{"generator", "transformer"}, {"generator_heads", "3"}, {"skip", "always"}},
                      rows_context()),
              HasSubstr("test.yaml:1:4: losses.mgd: skip: always is for generator: conv"));
  LossContext narrow = rows_context();
  std::swap(narrow.embedding_size, narrow.teacher_embedding_size);
  EXPECT_THAT(message("embedding", {{"reduce", "pca"}}, narrow),
              HasSubstr("reduce: the teacher's embedding of 4 is no wider than the student's of 6"));
  EXPECT_THAT(message("rkd", {}, rows_context()), HasSubstr("expected a map (C, Y, X) or a vector (K)"));
  LossContext pictures = context_of({3, 4, 4}, {3, 4, 4});
  EXPECT_THAT(message("minilm", {}, pictures), HasSubstr("for Transformers"));
  EXPECT_THAT(message("tinybert", {}, pictures), HasSubstr("tinybert is for Transformers"));
  EXPECT_THAT(message("mgd", {{"generator", "transformer"}}, pictures),
              HasSubstr("generator: transformer is for rows of texts"));
  EXPECT_THAT(message("embedding", {}, pictures), HasSubstr("task: embed"));
  LossContext mixed = rows_context();
  mixed.teacher["feat"] = {.axes = Axes::map, .sizes = {3, 4, 4}};
  EXPECT_THAT(message("mimic", {}, mixed), HasSubstr("expected the same of both"));
  LossContext sides = rows_context();
  sides.teacher["feat"].of_decoder = true;
  EXPECT_THAT(message("mimic", {}, sides), HasSubstr("their rows are of other tokens"));
}

}  // namespace
}  // namespace mgd
