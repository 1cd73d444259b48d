// Principal components: the directions in which a set of rows varies most.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace mgd {

struct ComponentScores {
  at::Tensor scores;     // (n, count) double: the centred rows along the components, the widest first
  double explained = 1;  // 0..1, share of the variance that they hold; 1 where nothing varies
};

// rows (n, H) of real numbers, from the singular values of the centred matrix in double precision: what
// scikit-learn's PCA(svd_solver="full") gives. Of the two signs of a component the one is taken for which the
// score that is largest in size is positive. Error(usage) unless 1 <= count <= min(n, H).
ComponentScores principal_components(const at::Tensor& rows, std::int64_t count);

}  // namespace mgd
