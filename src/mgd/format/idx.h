// IDX, the format of MNIST: http://yann.lecun.com/exdb/mnist, optionally gzipped.
#pragma once

#include "mgd/format/npy.h"

namespace mgd {

// Any of the six element types; big-endian values are turned. gzip is recognised by its magic bytes. Throws
// Error(bad_data) unless header and size agree exactly.
NumberArray read_idx(std::string_view bytes, const std::string& source);

}  // namespace mgd
