#include "mgd/ops/phi_s.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <vector>

#include "mgd/core/error.h"

namespace mgd {
namespace {

bool is_prime(std::int64_t q) {
  if (q < 2) return false;
  for (std::int64_t d = 2; d * d <= q; ++d)
    if (q % d == 0) return false;
  return true;
}

// Jacobsthal's matrix: (q, q), 1 where j - i is a square modulo the prime q, -1 where it is none, 0 at i = j.
at::Tensor jacobsthal(std::int64_t q) {
  std::vector<double> sign(static_cast<std::size_t>(q), -1);
  sign[0] = 0;
  for (std::int64_t x = 1; x < q; ++x) sign[static_cast<std::size_t>(x * x % q)] = 1;
  at::Tensor matrix = at::empty({q, q}, at::kDouble);
  double* data = matrix.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < q; ++i)
    for (std::int64_t j = 0; j < q; ++j) data[i * q + j] = sign[static_cast<std::size_t>((j - i + q) % q)];
  return matrix;
}

// [0 a^T; b Q]
at::Tensor bordered(const at::Tensor& core, double right, double below) {
  const std::int64_t q = core.size(0);
  const at::Tensor ones = at::ones({q, 1}, core.options());
  return at::cat(
      {at::cat({at::zeros({1, 1}, core.options()), right * ones.t()}, 1), at::cat({below * ones, core}, 1)});
}

at::Tensor paley(std::int64_t n) {  // undefined: none of this order
  if (const std::int64_t q = n - 1; q % 4 == 3 && is_prime(q))
    return at::eye(n, at::kDouble) + bordered(jacobsthal(q), 1, -1);
  if (const std::int64_t q = n / 2 - 1; n % 2 == 0 && q % 4 == 1 && is_prime(q)) {
    const at::Tensor two = at::ones({2, 2}, at::kDouble), of_diagonal = at::ones({2, 2}, at::kDouble);
    two[1][1] = -1;
    of_diagonal[0][1] = of_diagonal[1][0] = of_diagonal[1][1] = -1;
    return at::kron(bordered(jacobsthal(q), 1, 1), two) + at::kron(at::eye(q + 1, at::kDouble), of_diagonal);
  }
  return {};
}

}  // namespace

at::Tensor hadamard(std::int64_t n) {
  if (n < 1) fail(ExitCode::usage, "a Hadamard matrix: got order {}, expected >= 1", n);
  if (n == 1) return at::ones({1, 1}, at::kDouble);
  if (at::Tensor found = paley(n); found.defined()) return found;
  if (n % 2 != 0) return {};
  const at::Tensor half = hadamard(n / 2);
  if (!half.defined()) return {};
  return at::cat({at::cat({half, half}, 1), at::cat({half, -half}, 1)});
}

PhiS phi_s(const PrincipalComponents& seen) {
  const at::NoGradGuard no_grad;
  const PrincipalComponents::Spectrum spectrum = seen.spectrum();
  const std::int64_t n = spectrum.mean.size(0);
  const at::Tensor mixing = hadamard(n);
  if (!mixing.defined()) fail(ExitCode::usage, "phi_s: no Hadamard matrix of order {} is known here", n);
  const double variance = spectrum.variances.mean().item<double>();
  if (!(variance > 0)) fail(ExitCode::bad_data, "phi_s: the features do not vary");
  PhiS found;
  found.weight = at::matmul(mixing, spectrum.directions) / std::sqrt(static_cast<double>(n) * variance);
  found.bias = -at::matmul(found.weight, spectrum.mean);
  return found;
}

}  // namespace mgd
