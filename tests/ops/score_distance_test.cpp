#include "mgd/ops/score_distance.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/log.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "expect_error.h"
#include "mgd/ops/masked_attention.h"

namespace mgd {
namespace {

const std::vector<std::int64_t> kOffsets = {0, 9, 9, 10, 17};

ScoreRows drawn(std::int64_t width) {
  return {.q = at::randn({17, 3, width}, at::kDouble), .k = at::randn({17, 3, width}, at::kDouble)};
}

// Pair by pair.
double reference(const ScoreRows& s, const ScoreRows& t, const ScorePairs& pairs) {
  double total = 0;
  const auto score = [](const ScoreRows& x, std::int64_t i, std::int64_t j, std::int64_t head) {
    return (x.q[i][head] * x.k[j][head]).sum().item<double>() / std::sqrt(static_cast<double>(x.q.size(2)));
  };
  for (std::size_t d = 0; d + 1 < kOffsets.size(); ++d)
    for (std::int64_t i = kOffsets[d]; i < kOffsets[d + 1]; ++i)
      for (std::int64_t j = kOffsets[d]; j < kOffsets[d + 1]; ++j) {
        if (pairs.causal && j > i) continue;
        if (pairs.window >= 0 && std::abs(i - j) > pairs.window) continue;
        for (std::int64_t head = 0; head < 3; ++head)
          total += std::pow(score(s, i, j, head) - score(t, i, j, head), 2);
      }
  return total;
}

// The size of the pieces changes neither value nor gradient, and both are those of every visible pair.
TEST(ScoreDistance, IsTheSumOverVisiblePairsInPiecesOfAnySize) {
  for (const bool causal : {false, true})
    for (const std::int64_t window : {-1, 0, 2}) {
      const ScorePairs pairs{.offsets = kOffsets, .causal = causal, .window = window};
      const ScoreRows s = drawn(4), t = drawn(6);
      const double exact = reference(s, t, pairs);
      std::vector<at::Tensor> gradients;
      for (const std::int64_t held : {1, 60, 1 << 20}) {
        const ScoreRows leaf{.q = s.q.clone().set_requires_grad(true),
                             .k = s.k.clone().set_requires_grad(true)};
        const at::Tensor sum = score_distance(leaf, t, pairs, held);
        EXPECT_NEAR(sum.item<double>(), exact, 1e-10);
        (sum * 0.5).backward();
        if (gradients.empty()) gradients = {leaf.q.grad(), leaf.k.grad()};
        EXPECT_TRUE(at::allclose(leaf.q.grad(), gradients[0], 1e-10, 1e-12));
        EXPECT_TRUE(at::allclose(leaf.k.grad(), gradients[1], 1e-10, 1e-12));
      }
    }
}

// They are what the program's attention takes the softmax of: the logarithm of its maps, up to a number a
// row.
TEST(ScoreDistance, ScoresAreThoseOfTheAttention) {
  const ScoreRows s = drawn(4);
  const ScoreRows none{.q = at::zeros_like(s.q), .k = s.k};
  const std::vector<at::Tensor> maps = attention_maps(s.q, s.k, self_segments(kOffsets));
  double total = 0;
  for (std::size_t d = 0; d < maps.size(); ++d)
    if (maps[d].numel() > 0) {
      const at::Tensor raw =
          at::matmul(s.q.narrow(0, kOffsets[d], maps[d].size(1)).transpose(0, 1),
                     s.k.narrow(0, kOffsets[d], maps[d].size(1)).transpose(0, 1).transpose(1, 2)) /
          2.0;
      const at::Tensor shift = raw - at::log(maps[d]);  // the same for all keys of a query
      EXPECT_LT((shift - shift.mean(2, true)).abs().max().item<double>(), 1e-12);
      total += raw.square().sum().item<double>();
    }
  EXPECT_NEAR(score_distance(s, none, {.offsets = kOffsets}).item<double>(), total, 1e-10);
}

TEST(ScoreDistance, WhatDoesNotFitIsRefused) {
  using testing::HasSubstr;
  const ScoreRows s = drawn(4);
  const auto message = [&](const ScoreRows& t, const ScorePairs& pairs) {
    return error_of(ExitCode::usage, [&] { score_distance(s, t, pairs); });
  };
  EXPECT_THAT(message(s, {.offsets = {0, 5}}), HasSubstr("offsets"));
  EXPECT_THAT(message({.q = s.q.narrow(1, 0, 2), .k = s.k}, {.offsets = kOffsets}),
              HasSubstr("teacher's queries"));
  EXPECT_THAT(message({.q = s.q, .k = at::Tensor()}, {.offsets = kOffsets}), HasSubstr("teacher's keys"));
}

}  // namespace
}  // namespace mgd
