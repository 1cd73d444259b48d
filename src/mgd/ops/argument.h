// How a tensor that a caller hands in is refused. The test stands at the caller's, so that a call whose
// arguments fit builds no text.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace mgd {

// "float (2, 3, 32, 32)"; "nothing" for an undefined tensor.
std::string outline_of(const at::Tensor& tensor);

// Throws Error(usage): "WHERE: WHAT: got float (2, 3), expected EXPECTED". `where` may be empty: the path of
// a layer that stands alone.
[[noreturn]] void refuse(std::string_view where, std::string_view what, const at::Tensor& got,
                         std::string_view expected);

// Floating point numbers with this many dimensions; an undefined tensor is neither.
bool is_real(const at::Tensor& tensor, std::int64_t dimensions);

}  // namespace mgd
