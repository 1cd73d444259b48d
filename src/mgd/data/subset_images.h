// Some of the pictures of a source.
#pragma once

#include <memory>
#include <vector>

#include "mgd/data/image_source.h"

namespace mgd {

// Picture i is picture samples[i] of `source`, which is shared.
std::shared_ptr<const ImageSource> subset_images(std::shared_ptr<const ImageSource> source,
                                                 std::vector<std::int64_t> samples);

}  // namespace mgd
