#include "mgd/ops/phi_s.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cov.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/pdist.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"

namespace mgd {
namespace {

using testing::HasSubstr;

double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

TEST(Hadamard, RowsAreOrthogonalWhereverOneIsMade) {
  std::vector<std::int64_t> missing;
  for (std::int64_t n = 1; n <= 132; ++n) {
    const at::Tensor h = hadamard(n);
    if (!h.defined()) {
      if (n % 4 == 0) missing.push_back(n);
      continue;
    }
    EXPECT_EQ(largest(h.abs() - 1), 0) << n;
    EXPECT_EQ(largest(at::matmul(h, h.t()) - n * at::eye(n, at::kDouble)), 0) << n;
  }
  // None by Sylvester or by Paley with a prime.
  EXPECT_THAT(missing, testing::IsSubsetOf({52, 56, 92, 100, 104, 112, 116, 120, 124}));
  for (const std::int64_t n : {256, 312, 384, 512, 768, 1024}) EXPECT_TRUE(hadamard(n).defined()) << n;
  EXPECT_FALSE(hadamard(3).defined());
  EXPECT_THAT(error_of(ExitCode::usage, [] { hadamard(0); }), HasSubstr("expected >= 1"));
}

// Directions whose variances differ by 10^6, around a mean far from 0.
at::Tensor uneven_rows(std::int64_t n, std::int64_t width) {
  at::Tensor mixing = at::randn({width, width}, at::kDouble);
  for (std::int64_t i = 0; i < width; ++i)
    mixing[i] *= std::pow(10.0, -3.0 * static_cast<double>(i) / static_cast<double>(width));
  return at::matmul(at::randn({n, width}, at::kDouble), mixing) + 50;
}

TEST(PhiS, EveryDimensionHasVarianceOneAndDistancesKeepTheirRatios) {
  for (const std::int64_t width : {1, 2, 12, 24, 28, 64}) {
    SCOPED_TRACE(width);
    const at::Tensor rows = uneven_rows(500, width);
    PrincipalComponents seen;
    seen.add(rows.narrow(0, 0, 200));
    seen.add(rows.narrow(0, 200, 300));
    const PhiS found = phi_s(seen);
    const at::Tensor standard = at::linear(rows, found.weight, found.bias);
    EXPECT_LT(largest(standard.mean(0)), 1e-9);
    EXPECT_LT(largest(standard.var(0, /*unbiased=*/true) - 1), 1e-9);
    // One factor for all distances: 1 / sqrt(mean variance).
    const double factor = 1 / std::sqrt(rows.var(0, /*unbiased=*/true).mean().item<double>());
    const at::Tensor few = rows.narrow(0, 0, 40), of_few = standard.narrow(0, 0, 40);
    EXPECT_LT(largest(at::pdist(of_few) / at::pdist(few) - factor), 1e-9 * factor);
  }
}

TEST(PhiS, RefusesWhatHasNoVarianceOrNoMatrix) {
  PrincipalComponents none, constant, odd;
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { phi_s(none); }), HasSubstr("0 rows"));
  constant.add(at::zeros({5, 4}) + 3);
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { phi_s(constant); }), HasSubstr("do not vary"));
  odd.add(at::randn({9, 7}));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { phi_s(odd); }), HasSubstr("order 7"));
}

}  // namespace
}  // namespace mgd
