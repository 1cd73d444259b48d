// One vector a sequence, from packed rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mgd {

// rows (N, H) of sequences offsets (S + 1) -> (S, H). `pooling`: mean (over all its tokens), cls (the first),
// last. An empty sequence has a mean of 0, and no first or last token: Error(usage).
at::Tensor pool_rows(const at::Tensor& rows, const std::vector<std::int64_t>& offsets,
                     const std::string& pooling);

at::Tensor unit_rows(const at::Tensor& x);  // x / max(|x|, 1e-12), a row each

}  // namespace mgd
