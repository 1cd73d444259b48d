// A sum of parts that need not be in memory together.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace mgd {

// The sum over p in [0, num_pieces) of part(x, p), a scalar each. With gradient and several pieces, each part
// is differentiated at once and its graph dropped; the result has the gradient that they left at x. So a part
// may depend on nothing else that has a gradient.
at::Tensor sum_of_pieces(const at::Tensor& x, std::int64_t num_pieces,
                         const std::function<at::Tensor(const at::Tensor& x, std::int64_t piece)>& part);

}  // namespace mgd
