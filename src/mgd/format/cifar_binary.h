// CIFAR-10 and CIFAR-100, "binary version": records of label bytes and 3072 pixels, plane by plane.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/format/image.h"

namespace mgd {

struct CifarBatch {
  std::vector<std::int64_t> labels;       // the fine label of CIFAR-100
  std::string pixels;                     // (N, 3, 32, 32) as stored
  Image image(std::int64_t index) const;  // (32, 32, 3)
};

// `num_classes` is 10 (1 label byte) or 100 (coarse, then fine label). Throws Error(bad_data) when the size
// is no multiple of a record, when there is no record, or when a label is out of range.
CifarBatch read_cifar_batch(std::string_view bytes, std::int64_t num_classes, const std::string& source);

}  // namespace mgd
