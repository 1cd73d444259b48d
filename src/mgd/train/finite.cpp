#include "mgd/train/finite.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/aminmax.h>

#include <cmath>

namespace mgd {

namespace {

// One pass without a copy: NaN wins both ends.
bool is_finite(const at::Tensor& tensor) {
  if (!tensor.is_floating_point() || tensor.numel() == 0) return true;
  const auto [least, most] = at::aminmax(tensor);
  return std::isfinite(least.item<double>()) && std::isfinite(most.item<double>());
}

}  // namespace

std::string first_not_finite(const std::map<std::string, at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors)
    if (!is_finite(tensor)) return name;
  return "";
}

}  // namespace mgd
