// Whether a model answers with numbers. Weights that are all finite can still overflow on their way.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

namespace mgd {

// Answers are (N, K); minus infinity rules a class out and is none of the faults, unless it rules out all.
// Throws Error(bad_data) that names `model` and the first row that holds NaN, plus infinity or nothing else
// than minus infinity, by name_of_row(n).
void require_finite_rows(const at::Tensor& answers, const std::string& model,
                         const std::function<std::string(std::int64_t)>& name_of_row);

}  // namespace mgd
