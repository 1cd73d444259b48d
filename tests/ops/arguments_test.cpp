// What does not fit an operator is refused as the caller's mistake, before a kernel reads through a pointer.
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "expect_error.h"
#include "mgd/ops/batch_norm.h"
#include "mgd/ops/conv3x3.h"
#include "mgd/ops/dense.h"
#include "mgd/ops/masked_conv.h"
#include "mgd/ops/masked_cross_entropy.h"
#include "mgd/ops/softmax_kl.h"
#include "mgd/ops/squared_distance.h"
#include "mgd/ops/winograd.h"

namespace mgd {
namespace {

using testing::HasSubstr;

template <class F>
void expect_refused(const F& f, const char* part) {
  EXPECT_THAT(error_of(ExitCode::usage, f), HasSubstr(part));
}

TEST(Arguments, OfProducts) {
  expect_refused([] { linear(at::ones({2, 3}), at::ones({5, 4}), {}); }, "float (2, 3)");
  expect_refused([] { linear(at::ones({}), at::ones({5, 4}), {}); }, "float ()");
  expect_refused([] { linear(at::Tensor(), at::ones({5, 4}), {}); }, "x nothing");
  expect_refused([] { linear(at::ones({2, 4}), at::ones({5, 4}), at::ones({4})); }, "bias float (4)");
  expect_refused([] { product_into(at::ones({2, 2}), at::ones({2, 3}), at::ones({2, 2}), 0); }, "(K, N)");
}

TEST(Arguments, OfConvolutions) {
  const at::Tensor x = at::ones({2, 4, 5, 5}), weight = at::ones({6, 4, 3, 3}), bias = at::ones({6});
  expect_refused([&] { conv3x3(x, at::ones({6, 5, 3, 3})); }, "weight float (6, 5, 3, 3)");
  expect_refused([&] { conv3x3(x[0], weight); }, "x float (4, 5, 5)");
  expect_refused([&] { masked_conv3x3(x, {}, weight, at::ones({4})); }, "bias float (4)");
  expect_refused([&] { masked_conv3x3(x, at::ones({2, 1, 5, 5}), weight, bias); }, "keep float (2, 1, 5, 5)");
  expect_refused([&] { masked_conv3x3(x, at::ones({3, 1, 5, 5}, at::kBool), weight, bias); }, "broadcasts");
  const at::Tensor lying = x.contiguous(at::MemoryFormat::ChannelsLast);
  expect_refused([&] { winograd_conv(lying, at::ones({6, 5, 3, 3})); }, "(B, 5, Y, X)");
  expect_refused([&] { winograd_conv(at::ones({2, 4, 5, 5}), weight); }, "channels last");
  expect_refused([&] { winograd_conv_with(lying, winograd_filter(weight), 70); }, "filter");
  expect_refused([&] { winograd_filter(weight.to(at::kDouble)); }, "double (6, 4, 3, 3)");
}

TEST(Arguments, OfDistances) {
  expect_refused([] { softmax_kl(at::ones({2, 3}), at::ones({2, 4}), 4); }, "teacher float (2, 4)");
  expect_refused([] { softmax_kl(at::ones({2, 3}), at::Tensor(), 4); }, "teacher nothing");
  for (const double temperature : {0.0, -1.0, std::nan("")})
    expect_refused([&] { softmax_kl(at::ones({2, 3}), at::ones({2, 3}), temperature); }, "temperature");
  const at::Tensor map = at::ones({2, 4, 3, 3});
  expect_refused([&] { squared_distance(map, at::ones({4}), at::ones({1, 4, 3, 3})); }, "target float (1, 4");
  expect_refused([&] { squared_distance(map, at::ones({3}), map); }, "bias float (3)");
}

TEST(Arguments, OfLanguageHeads) {
  const LmHead head{.hidden = at::ones({3, 4}), .weight = at::ones({7, 4})};
  const at::Tensor targets = at::zeros({3}, at::kLong);
  expect_refused([&] { masked_cross_entropy(head, at::zeros({2}, at::kLong)); }, "targets long (2)");
  expect_refused([&] { masked_cross_entropy(head, at::zeros({3})); }, "targets float (3)");
  expect_refused([&] { masked_cross_entropy(head, targets, {.label_smoothing = 2}); }, "label_smoothing 2");
  expect_refused([&] { masked_cross_entropy(head, targets, {.max_logits = 0}); }, "max_logits 0");
  expect_refused(
      [&] {
        score_targets({.hidden = at::ones({3, 5}), .weight = head.weight}, targets);
      },
      "hidden float (3, 5)");
}

TEST(Arguments, OfNorms) {
  const at::Tensor x = at::ones({2, 4, 3, 3}), c = at::ones({4});
  const BatchNormTensors norm{c, c, c.clone(), c.clone()};
  expect_refused([&] { batch_norm_in_training(x, {at::ones({3}), c, c, c}, {}, {}); }, "float (3)");
  expect_refused([&] { batch_norm_in_training(at::ones({1, 4, 1, 1}), norm, {}, {}); }, "two values");
  expect_refused(
      [&] {
        batch_norm_in_training(x, norm, at::ones({2, 4, 1, 1}), {});
      },
      "shortcut float (2, 4");
  expect_refused([&] { finish_norm(x, at::ones({1, 4, 3, 3}), {}); }, "same shape");
  expect_refused([&] { finish_norm_(x.clone(), at::ones({1, 4, 3, 3}), {}); }, "same shape");
}

}  // namespace
}  // namespace mgd
