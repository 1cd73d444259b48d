// Losses of one output layer: with logits of their own, and with logits that they share.
#include "mgd/ops/head_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "mgd/ops/divergence.h"
#include "mgd/ops/masked_cross_entropy.h"

namespace mgd {
namespace {

constexpr std::int64_t kRows = 9, kWidth = 5, kEntries = 13;

struct Parts {
  at::Tensor hidden, weight, bias, rows;
  std::vector<at::Tensor> gradients() const {
    std::vector<at::Tensor> all{hidden.grad(), weight.grad()};
    if (bias.defined()) all.push_back(bias.grad());
    return all;
  }
};

Parts drawn(at::ScalarType type, bool with_bias, bool with_rows) {
  const auto normal = [&](at::IntArrayRef sizes) {
    return at::randn(sizes, at::kDouble).to(type).set_requires_grad(true);
  };
  Parts parts{.hidden = normal({kRows, kWidth}), .weight = normal({kEntries, kWidth})};
  if (with_bias) parts.bias = normal({kEntries});
  if (with_rows) parts.rows = at::tensor(std::vector<std::int64_t>{1, 2, 5, 8});
  return parts;
}

// Cross-entropy and a divergence from kept scores, weighted, and their gradients.
std::pair<at::Tensor, std::vector<at::Tensor>> both(const Parts& given, bool shared,
                                                    std::int64_t max_logits) {
  Parts parts{.hidden = given.hidden.detach().clone().set_requires_grad(true),
              .weight = given.weight.detach().clone().set_requires_grad(true),
              .rows = given.rows};
  if (given.bias.defined()) parts.bias = given.bias.detach().clone().set_requires_grad(true);
  LmHead head{.hidden = parts.hidden, .weight = parts.weight, .bias = parts.bias, .rows = parts.rows};
  const std::int64_t targets = parts.rows.defined() ? parts.rows.size(0) : kRows;
  const LmHead teacher{.hidden = given.hidden.detach().narrow(0, 0, targets) * 0.5,
                       .weight = given.weight.detach()};
  const TopScores top = top_scores(teacher, 4, 2);
  const at::Tensor ids = at::arange(targets, at::kLong) % kEntries;
  if (shared) head = with_logits(head, max_logits);
  const at::Tensor sum = masked_cross_entropy(head, ids, {.label_smoothing = 0.1}) * 0.3 +
                         head_divergence(head, top, {.temperature = 2}) * 0.7;
  sum.backward();
  return {sum.detach(), parts.gradients()};
}

TEST(HeadLoss, SharedLogitsGiveTheSameSumAndGradients) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat})
    for (const bool bias : {false, true})
      for (const bool rows : {false, true})
        for (const std::int64_t most : {std::int64_t{1} << 22, std::int64_t{10}}) {
          const Parts parts = drawn(type, bias, rows);
          const auto [own, own_gradients] = both(parts, false, most);
          const auto [shared, gradients] = both(parts, true, most);
          const double tolerance = type == at::kDouble ? 1e-12 : 1e-5;
          EXPECT_TRUE(at::allclose(own, shared, tolerance, tolerance));
          ASSERT_EQ(own_gradients.size(), gradients.size());
          for (std::size_t i = 0; i < gradients.size(); ++i)
            EXPECT_TRUE(at::allclose(own_gradients[i], gradients[i], tolerance, tolerance)) << i;
        }
}

TEST(HeadLoss, LogitsAreSharedUpToALimit) {
  const Parts parts = drawn(at::kFloat, true, true);
  const LmHead head{.hidden = parts.hidden, .weight = parts.weight, .bias = parts.bias, .rows = parts.rows};
  EXPECT_FALSE(with_logits(head, 4 * kEntries - 1).logits.defined());
  const LmHead shared = with_logits(head, 4 * kEntries);
  ASSERT_TRUE(shared.logits.defined());
  EXPECT_FALSE(shared.rows.defined()) << "the target rows alone";
  EXPECT_EQ(shared.logits.sizes(), (std::vector<std::int64_t>{4, kEntries}));
  const LmHead none{.hidden = parts.hidden.narrow(0, 0, 0), .weight = parts.weight};
  EXPECT_FALSE(with_logits(none).logits.defined());
}

}  // namespace
}  // namespace mgd
