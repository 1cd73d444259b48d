#include "mgd/ops/principal_components.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "expect_error.h"

namespace mgd {
namespace {

using testing::HasSubstr;

// What the fixture of the loss `embedding` compares with NumPy, here by what defines it.
TEST(PrincipalComponents, AreOrthonormalDirectionsOfMostVariance) {
  const at::Tensor spread = at::tensor({5.0, 3.0, 2.0, 0.1}, at::kDouble);
  const at::Tensor rows = at::randn({400, 4}, at::kDouble) * spread + 1000.0;
  PrincipalComponents all;
  all.add(rows.narrow(0, 0, 150));
  all.add(rows.narrow(0, 150, 0));
  all.add(rows.narrow(0, 150, 250));
  EXPECT_EQ(all.count(), 400);
  const auto found = all.first(3);
  const at::Tensor identity = at::matmul(found.components, found.components.t());
  EXPECT_LT((identity - at::eye(3, at::kDouble)).abs().max().item<double>(), 1e-12);
  const at::Tensor centred = rows - rows.mean(0), turned = at::matmul(centred, found.components.t());
  const at::Tensor variance = turned.square().sum(0);
  EXPECT_GT(variance[0].item<double>(), variance[1].item<double>());
  EXPECT_GT(variance[1].item<double>(), variance[2].item<double>());
  EXPECT_NEAR(found.kept_frac, (variance.sum() / centred.square().sum()).item<double>(), 1e-9);
  EXPECT_GT(found.components[0][0].item<double>(), 0.9);  // the largest element is positive
}

TEST(PrincipalComponents, WhatRowsDoNotTellIsRefused) {
  PrincipalComponents few;
  few.add(at::randn({3, 8}));
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { few.first(3); }), HasSubstr("3 rows do not tell 3"));
  PrincipalComponents flat;
  flat.add(at::matmul(at::randn({50, 2}, at::kDouble), at::randn({2, 6}, at::kDouble)));
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { flat.first(3); }), HasSubstr("fewer than 3 directions"));
  EXPECT_EQ(flat.first(2).components.size(0), 2);
  PrincipalComponents same;
  same.add(at::full({9, 4}, 0.5));
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { same.first(1); }), HasSubstr("fewer than 1"));
  EXPECT_THAT(error_of(ExitCode::bad_data,
                       [&] {
                         same.add(at::full({1, 4}, std::numeric_limits<double>::infinity()));
                       }),
              HasSubstr("not finite"));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { flat.first(7); }), HasSubstr("expected 1 ... 6"));
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { PrincipalComponents().first(2); }), HasSubstr("0 rows"));
}

}  // namespace
}  // namespace mgd
