// A row of a tensor for JSON.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace mgd {

inline std::vector<double> row_of(const at::Tensor& values) {  // (K)
  const at::Tensor doubles = values.to(at::kCPU, at::kDouble).contiguous();
  const double* data = doubles.const_data_ptr<double>();
  return {data, data + doubles.numel()};
}

}  // namespace mgd
