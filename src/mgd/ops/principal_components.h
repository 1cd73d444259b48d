// Principal components of rows that come batch by batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace mgd {

class PrincipalComponents {
 public:
  // rows (n, H), n may be 0; sums are kept in double, around the first row that came, so that a mean far from
  // 0 costs no digits. Error(bad_data) for a row that is not finite.
  void add(const at::Tensor& rows);
  std::int64_t count() const { return count_; }

  // The eigenvectors of the covariance around the mean: mean (H), directions (H, H) with orthonormal rows,
  // variances (H) by n - 1, both with the least variance first; double. Error(bad_data): fewer than two rows.
  struct Spectrum {
    at::Tensor mean, directions, variances;
  };
  Spectrum spectrum() const;

  struct Result {
    at::Tensor components;  // (k, H) double, orthonormal rows; the direction of most variance first
    double kept_frac = 0;   // of the variance around the mean
  };
  // The k eigenvectors with the largest eigenvalues of the covariance around the mean (Pearson 1901), each
  // with its largest element positive (the first of equal ones). 1 <= k <= H. Error(bad_data) when the rows
  // span fewer than k directions: the rest would be rounding.
  Result first(std::int64_t k) const;

 private:
  std::int64_t count_ = 0;
  at::Tensor pivot_, sum_, products_;  // (H), (H), (H, H) double, of rows minus pivot_
};

}  // namespace mgd
