// Passes of one size: the kernels that a library chooses depend on it, and with them the last bits of every
// output.
#pragma once

#include <ATen/core/Tensor.h>

namespace mgd {

// `size` rows of (n, ...) with 1 <= n <= size: the last one is repeated where there are fewer.
at::Tensor filled_up(const at::Tensor& rows, std::int64_t size);

}  // namespace mgd
