// Probes of features, against what must hold of their optimum and against votes counted by hand.
#include "mgd/eval/probe.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "mgd/core/error.h"

namespace mgd {
namespace {

at::Tensor labels_of(std::vector<std::int64_t> labels) {
  return at::tensor(labels);
}

TEST(Probe, TheLinearOneIsAtItsOptimum) {
  const at::Tensor rows = at::randn({60, 4}, at::kDouble);
  const at::Tensor labels = at::arange(60, at::kLong) % 3;
  const LinearProbe probe = fit_linear(rows, labels, 3, 0.05);
  // The gradient of mean cross-entropy + l2 / 2 |W|^2, written down.
  const at::Tensor p = at::softmax(at::linear(rows, probe.weight, probe.bias), 1);
  const at::Tensor off = (p - at::eye(3, at::kDouble).index_select(0, labels)) / 60;  // (N, K)
  EXPECT_LT((at::mm(off.t(), rows) + 0.05 * probe.weight).abs().max().item<double>(), 2e-6);
  EXPECT_LT(off.sum(0).abs().max().item<double>(), 2e-6);
}

TEST(Probe, SeparableClassesAreSeparated) {
  const at::Tensor centres = at::eye(3, at::kDouble) * 4;
  const at::Tensor labels = at::arange(90, at::kLong) % 3;
  const at::Tensor rows = centres.index_select(0, labels) + at::randn({90, 3}, at::kDouble) * 0.3;
  const Standardiser standardised(rows);
  const LinearProbe probe = fit_linear(standardised(rows), labels, 3, 1e-3);
  EXPECT_EQ(accuracy_of(probe, standardised(rows), labels), 1);
  EXPECT_TRUE(std::isnan(accuracy_of(probe, rows.narrow(0, 0, 0), labels.narrow(0, 0, 0))));
  EXPECT_EQ(neighbours_accuracy({rows, labels}, {rows, labels}, 3, 5), 1);
}

TEST(Probe, StandardisedRowsHaveMeanZeroAndDeviationOne) {
  const at::Tensor rows = at::tensor({1.0, 7.0, 3.0, 7.0}, at::kDouble).view({2, 2});
  const Standardiser standardised(rows);
  EXPECT_TRUE(at::allclose(standardised(rows), at::tensor({-1.0, 0.0, 1.0, 0.0}, at::kDouble).view({2, 2})));
}

TEST(Probe, NeighboursVoteByTheirCosine) {
  // Two of class 1 at 60 degrees against one of class 0 at 10: exp(cos 10 / 0.07) > 2 exp(cos 60 / 0.07).
  const auto at_degrees = [](std::vector<double> angles) {
    std::vector<double> values;
    for (const double angle : angles) {
      values.push_back(3 * std::cos(angle * M_PI / 180));
      values.push_back(3 * std::sin(angle * M_PI / 180));
    }
    return at::tensor(values, at::kDouble).view({-1, 2});
  };
  const LabelledFeatures known{at_degrees({10, 60, -60}), labels_of({0, 1, 1})};
  EXPECT_EQ(neighbours_accuracy(known, {at_degrees({0}), labels_of({0})}, 2, 3), 1);
  EXPECT_EQ(neighbours_accuracy(known, {at_degrees({0}), labels_of({0})}, 2, 100), 1) << "of all there are";
  EXPECT_EQ(neighbours_accuracy(known, {at_degrees({58, 0}), labels_of({1, 1})}, 2, 1), 0.5);
  EXPECT_TRUE(std::isnan(neighbours_accuracy(known, {at_degrees({}), labels_of({})}, 2, 1)));
}

TEST(Probe, WhatCannotBeIsRefused) {
  const at::Tensor rows = at::randn({4, 2}, at::kDouble);
  EXPECT_THROW(fit_linear(rows, labels_of({0, 1, 0}), 2, 1), Error);
  EXPECT_THROW(fit_linear(rows, labels_of({0, 1, 0, 2}), 2, 1), Error);
  EXPECT_THROW(fit_linear(rows, labels_of({0, 1, 0, 1}), 2, 0), Error);
  EXPECT_THROW(neighbours_accuracy({rows, labels_of({0, 1, 0, 1})}, {rows, labels_of({0, 1, 0, 1})}, 2, 0),
               Error);
}

}  // namespace
}  // namespace mgd
