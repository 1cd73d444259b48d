// NumPy's .npy, written.
#pragma once

#include "mgd/format/npy.h"

namespace mgd {

// Version 1.0, with the array's bytes behind it.
std::string npy_header(const std::string& dtype, const std::vector<std::int64_t>& shape);

}  // namespace mgd
