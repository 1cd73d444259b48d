// Pictures with labels, and more of them without.
#pragma once

#include <memory>

#include "mgd/data/image_source.h"

namespace mgd {

// The pictures of `labelled`, then those of `more`, with label -1. Classes are those of the first; both have
// the same channels. A name may be there twice, once on each side.
std::shared_ptr<const ImageSource> joined_images(std::shared_ptr<const ImageSource> labelled,
                                                 std::shared_ptr<const ImageSource> more);

}  // namespace mgd
