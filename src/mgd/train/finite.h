// Whether numbers that are to be kept are numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace mgd {

// The name of the first tensor that holds NaN or an infinity; "" when none does. Integer and empty tensors
// hold neither.
std::string first_not_finite(const std::map<std::string, at::Tensor>& tensors);

}  // namespace mgd
