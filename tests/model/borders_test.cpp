// What a user of a model sees at its borders: taps that there are not, batches that do not fit, two threads.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "expect_error.h"
#include "mgd/model/image_model.h"
#include "mgd/model/text_model.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(Model& model, const Batch& batch, const std::string& tap = "") {
  Forward forward;
  if (!tap.empty()) forward.capture(tap);
  return error_of(ExitCode::usage, [&] { model.run(batch, forward); });
}

TextConfig tiny() {
  return text_config(
      "bert",
      {.vocab_size = 40, .hidden_size = 16, .layers = 2, .heads = 2, .max_positions = 32, .dropout = 0},
      TextHead::masked_lm);
}

Batch tokens_of(const std::vector<std::int64_t>& ids, std::vector<std::int64_t> offsets) {
  Batch batch;
  batch.tokens = {
      .ids = at::tensor(ids, at::kLong), .positions = {}, .type_ids = {}, .offsets = std::move(offsets)};
  return batch;
}

TEST(Borders, AnUnknownTapNamesTheNearestNode) {
  const auto model = make_model({.architecture = "cifar_resnet8"}, 1);
  const Batch batch{.input = at::ones({1, 3, 32, 32})};
  EXPECT_THAT(refusal(*model, batch, "layer3.0.conv3"),
              AllOf(HasSubstr("cifar_resnet8"), HasSubstr("'layer3.0.conv3'"),
                    HasSubstr("did you mean 'layer3.0.conv")));
  EXPECT_THAT(refusal(*model, batch, "stage3"), HasSubstr("known: input, "));
  const auto text = make_text_model(tiny(), 1);
  EXPECT_THAT(refusal(*text, tokens_of({2, 5, 3}, {0, 3}), text->default_tap() + "x"),
              HasSubstr("did you mean '" + text->default_tap() + "'"));
}

TEST(Borders, BatchesThatDoNotFitAreRefused) {
  const auto model = make_model({.architecture = "cifar_resnet8"}, 1);
  const auto of = [&](const at::Tensor& input) { return refusal(*model, {.input = input}); };
  EXPECT_THAT(of(at::ones({1, 1, 32, 32})),
              AllOf(HasSubstr("float (1, 1, 32, 32)"), HasSubstr("(batch, 3,")));
  EXPECT_THAT(of(at::ones({3, 32, 32})), HasSubstr("float (3, 32, 32)"));
  EXPECT_THAT(of(at::ones({1, 3, 32, 32}, at::kByte)), HasSubstr("byte (1, 3, 32, 32)"));
  EXPECT_THAT(of(at::ones({1, 3, 32, 32}, at::kDouble)), HasSubstr("conv1: input: got double"));
  EXPECT_THAT(of({}), HasSubstr("got nothing"));

  const auto text = make_text_model(tiny(), 1);
  EXPECT_THAT(refusal(*text, {}), HasSubstr("offsets"));
  EXPECT_THAT(refusal(*text, tokens_of({2, 5, 3}, {0, 2})), HasSubstr("ids: got long (3)"));
  EXPECT_THAT(refusal(*text, tokens_of({2, 5, 3}, {0, 3, 2, 3})), HasSubstr("offsets"));
  Batch floats = tokens_of({2, 5, 3}, {0, 3});
  floats.tokens.ids = floats.tokens.ids.to(at::kFloat);
  EXPECT_THAT(refusal(*text, floats), HasSubstr("ids: got float (3)"));
}

TEST(Borders, WhatAModelLacksIsTheCallersMistake) {
  const auto text = make_text_model(tiny(), 1);
  Forward forward;
  KvCache cache(2, 1);
  EXPECT_THAT(error_of(ExitCode::usage, [&] { text->new_cache(1); }), HasSubstr("decoder"));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         text->decode(tokens_of({1}, {0, 1}).tokens, cache, forward);
                       }),
              HasSubstr("decoder"));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { cache.select({1}); }), HasSubstr("sequence 1"));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         cache.truncate({0, 0});
                       }),
              HasSubstr("lengths of 2 sequences"));
}

// Frozen convolutions keep folded weights, which the first pass makes: here two threads are first at once.
TEST(Borders, TwoThreadsPredictWithOneFrozenModel) {
  for (int round = 0; round < 5; ++round) {
    const auto model = make_model({.architecture = "resnet18", .in_channels = 3}, 1);
    model->set_requires_grad(false);
    const at::Tensor x = at::randn({4, 3, 64, 64});
    const auto predict = [&](bool winograd) {
      const at::NoGradGuard no_grad;
      Forward forward;
      forward.use_winograd(winograd);
      return model->run({.input = x}, forward).logits;
    };
    std::vector<at::Tensor> logits(3);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < logits.size(); ++t)
      threads.emplace_back([&, t] { logits[t] = predict(t == 2); });
    for (auto& thread : threads) thread.join();
    const at::Tensor alone = predict(false);
    const double size = alone.abs().max().item<double>();
    for (const at::Tensor& each : logits) EXPECT_LT(each.sub(alone).abs().max().item<double>(), 1e-3 * size);
  }
}

}  // namespace
}  // namespace mgd
