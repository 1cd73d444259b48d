#include "mgd/ops/masked_cross_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "ops/attention_support.h"

namespace mgd {
namespace {

constexpr std::int64_t kRows = 53, kWidth = 12, kVocabulary = 101;

LmHead random_head(at::ScalarType type, bool bias = true) {
  const auto options = at::TensorOptions().dtype(type);
  return {.hidden = at::randn({kRows, kWidth}, options).requires_grad_(true),
          .weight = at::randn({kVocabulary, kWidth}, options).requires_grad_(true),
          .bias = bias ? at::randn({kVocabulary}, options).requires_grad_(true) : at::Tensor()};
}

at::Tensor some_targets() {
  at::Tensor targets = at::randint(kVocabulary, {kRows}, at::TensorOptions().dtype(at::kLong));
  targets[0] = 0;  // id 0 counts
  targets[3] = -100;
  targets[kRows - 1] = -100;
  return targets;
}

struct Gradients {
  at::Tensor loss, hidden, weight, bias;
};
Gradients backward(const LmHead& head, const at::Tensor& loss) {
  for (const at::Tensor& t : {head.hidden, head.weight, head.bias})
    if (t.defined()) t.mutable_grad().reset();
  (loss * 0.25).backward();
  return {loss.detach(), head.hidden.grad(), head.weight.grad(),
          head.bias.defined() ? head.bias.grad() : at::Tensor()};
}

TEST(MaskedCrossEntropy, EqualsTheFullProjection) {
  for (const double smoothing : {0.0, 0.1})
    for (const bool bias : {true, false}) {
      const LmHead head = random_head(at::kDouble, bias);
      const at::Tensor targets = some_targets();
      // 200 logits at a time: 16 rows a piece, the least there is, so four pieces.
      const Gradients ours = backward(
          head, masked_cross_entropy(head, targets, {.label_smoothing = smoothing, .max_logits = 200}));
      const Gradients full =
          backward(head, at::cross_entropy_loss(at::linear(head.hidden, head.weight, head.bias), targets, {},
                                                at::Reduction::Sum, -100, smoothing));
      EXPECT_LT(worst(ours.loss, full.loss), 1e-10);
      EXPECT_LT(worst(ours.hidden, full.hidden), 1e-12);
      EXPECT_LT(worst(ours.weight, full.weight), 1e-12);
      if (bias) {
        EXPECT_LT(worst(ours.bias, full.bias), 1e-12);
      }
    }
}

TEST(MaskedCrossEntropy, RowsWithoutATargetMayBeThere) {
  const LmHead all = random_head(at::kDouble);
  const at::Tensor rows = at::tensor({50, 2, 17}, at::kLong), targets = at::tensor({5, 0, 100}, at::kLong);
  LmHead marked = all;
  marked.rows = rows;
  const Gradients projected = backward(all, masked_cross_entropy(marked, targets));
  LmHead few = all;
  few.hidden = all.hidden.index_select(0, rows);
  const Gradients left_out = backward(all, masked_cross_entropy(few, targets));
  EXPECT_LT(worst(projected.loss, left_out.loss), 1e-10);
  EXPECT_LT(worst(projected.hidden, left_out.hidden), 1e-12);
  EXPECT_LT(worst(projected.weight, left_out.weight), 1e-12);
  EXPECT_EQ(projected.hidden[3].abs().max().item<double>(), 0);
}

TEST(MaskedCrossEntropy, NoTargetGivesZeroAndNoNan) {
  LmHead head = random_head(at::kFloat);
  const Gradients none = backward(head, masked_cross_entropy(head, at::full({kRows}, -100, at::kLong)));
  EXPECT_EQ(none.loss.item<double>(), 0);
  EXPECT_EQ(none.hidden.abs().max().item<double>(), 0);
  head.hidden = at::randn({0, kWidth}).requires_grad_(true);
  EXPECT_EQ(masked_cross_entropy(head, at::full({0}, 0, at::kLong)).item<double>(), 0);
}

TEST(MaskedCrossEntropy, BfloatSumsInFloat) {
  const LmHead head = random_head(at::kBFloat16);
  const at::Tensor targets = some_targets();
  const at::Tensor loss = masked_cross_entropy(head, targets);
  EXPECT_EQ(loss.scalar_type(), at::kFloat);
  const at::Tensor exact = at::cross_entropy_loss(
      at::linear(head.hidden.to(at::kDouble), head.weight.to(at::kDouble), head.bias.to(at::kDouble)),
      targets, {}, at::Reduction::Sum, -100, 0.0);
  EXPECT_NEAR(loss.item<double>() / exact.item<double>(), 1, 0.01);
}

TEST(MaskedCrossEntropy, AGraphMayBeUsedTwice) {
  LmHead head = random_head(at::kFloat);
  head.hidden = head.hidden.detach().set_requires_grad(true);
  const at::Tensor loss = masked_cross_entropy(head, some_targets());
  const auto gradient = [&](double scale) {
    head.hidden.mutable_grad().reset();
    loss.backward(at::ones_like(loss) * scale, /*retain_graph=*/true);
    return head.hidden.grad().clone();
  };
  const at::Tensor one = gradient(1);
  EXPECT_EQ(worst(gradient(0), at::zeros_like(one)), 0);
  EXPECT_LT(worst(gradient(0.25), one * 0.25), 1e-6);
  EXPECT_LT(worst(gradient(1), one), 1e-6);
}

// Autocast hands out rows of bfloat16 beside weights of float32.
TEST(MaskedCrossEntropy, MixedPrecisionKeepsTheWeightsGradientInFloat) {
  LmHead exact = random_head(at::kFloat);
  exact.hidden = exact.hidden.detach().to(at::kBFloat16).to(at::kFloat);
  exact.weight = exact.weight.detach();
  exact.bias = exact.bias.detach();
  LmHead mixed{exact.hidden.to(at::kBFloat16), exact.weight.clone(), exact.bias.clone()};
  const at::Tensor targets = some_targets();
  for (LmHead* head : {&exact, &mixed})
    for (at::Tensor* part : {&head->hidden, &head->weight, &head->bias}) part->set_requires_grad(true);
  const at::Tensor loss = masked_cross_entropy(mixed, targets),
                   expected = masked_cross_entropy(exact, targets);
  loss.backward();
  expected.backward();
  EXPECT_NEAR(loss.item<double>() / expected.item<double>(), 1, 0.01);
  EXPECT_EQ(mixed.weight.grad().scalar_type(), at::kFloat);
  EXPECT_LT(worst(mixed.weight.grad(), exact.weight.grad()),
            0.02 * exact.weight.grad().abs().max().item<double>());
  EXPECT_EQ(score_targets(mixed, targets.clamp_min(0)).nll.scalar_type(), at::kFloat);
}

TEST(MaskedCrossEntropy, ScoresAreThoseOfTheLogits) {
  const LmHead head = random_head(at::kFloat);
  const at::Tensor targets = some_targets().clamp_min(0);
  const TokenScores scores = score_targets(head, targets, {.max_logits = 200});
  const at::Tensor logits = at::linear(head.hidden, head.weight, head.bias);
  EXPECT_TRUE(scores.best.equal(logits.argmax(1)));
  EXPECT_LT(worst(scores.nll, at::cross_entropy_loss(logits, targets, {}, at::Reduction::None)), 1e-4);
}

}  // namespace
}  // namespace mgd
