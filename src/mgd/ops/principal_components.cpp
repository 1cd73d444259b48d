#include "mgd/ops/principal_components.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

void PrincipalComponents::add(const at::Tensor& rows) {
  if (!is_real(rows, 2)) refuse("principal components", "rows", rows, "numbers (n, H)");
  if (rows.size(0) == 0) return;
  const at::NoGradGuard no_grad;
  const at::Tensor exact = rows.detach().to(at::kCPU, at::kDouble);
  if (!at::isfinite(exact).all().item<bool>())
    fail(ExitCode::bad_data, "principal components: got a row that is not finite");
  if (!pivot_.defined()) {
    pivot_ = exact[0].clone();
    sum_ = at::zeros_like(pivot_);
    products_ = at::zeros({exact.size(1), exact.size(1)}, exact.options());
  }
  const at::Tensor moved = exact - pivot_;
  sum_ += at::sum(moved, {0});
  products_ += at::matmul(moved.t(), moved);
  count_ += rows.size(0);
}

PrincipalComponents::Spectrum PrincipalComponents::spectrum() const {
  if (count_ < 2) fail(ExitCode::bad_data, "principal components: {} rows have no covariance", count_);
  const at::NoGradGuard no_grad;
  const at::Tensor covariance = (products_ - at::outer(sum_, sum_) / count_) / (count_ - 1);
  const auto [values, vectors] = at::linalg_eigh(covariance);  // ascending; columns
  return {.mean = pivot_ + sum_ / count_, .directions = vectors.t(), .variances = values};
}

PrincipalComponents::Result PrincipalComponents::first(std::int64_t k) const {
  const std::int64_t width = pivot_.defined() ? pivot_.size(0) : 0;
  if (count_ > 0 && (k < 1 || k > width))
    fail(ExitCode::usage, "principal components: got {}, expected 1 ... {}", k, width);
  if (count_ <= k)
    fail(ExitCode::bad_data,
         "principal components: {} rows do not tell {} directions, more than {} are needed", count_, k, k);
  const at::NoGradGuard no_grad;
  const Spectrum all = spectrum();
  const at::Tensor& values = all.variances;
  const double *value = values.const_data_ptr<double>(), largest = value[width - 1];
  constexpr double kRounding = 1e-12;  // of the largest: covariances are sums of squares
  if (!(value[width - k] > kRounding * largest))
    fail(ExitCode::bad_data,
         "principal components: the rows vary in fewer than {} directions (the {}th has {:.1e} of the "
         "variance "
         "of the first)",
         k, k, largest > 0 ? value[width - k] / largest : 0.0);
  at::Tensor components = all.directions.narrow(0, width - k, k).flip({0}).contiguous();
  double* data = components.mutable_data_ptr<double>();
  double kept = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    double *row = data + i * width, *top = row;
    for (double* x = row; x < row + width; ++x)
      if (std::abs(*x) > std::abs(*top)) top = x;
    if (*top < 0)
      for (double* x = row; x < row + width; ++x) *x = -*x;
    kept += value[width - 1 - i];
  }
  return {.components = components, .kept_frac = kept / values.sum().item<double>()};
}

}  // namespace mgd
