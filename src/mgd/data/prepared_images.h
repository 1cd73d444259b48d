// Pictures as a model sees them, kept: what is measured epoch after epoch is decoded once.
#pragma once

#include <functional>
#include <memory>

#include "mgd/data/image_source.h"

namespace mgd {

// The pictures of `source` through `prepare`, of which as many stay in memory as fit into `max_bytes`.
// Labels, names and errors are those of the source.
std::shared_ptr<const ImageSource> prepared_images(std::shared_ptr<const ImageSource> source,
                                                   std::function<Image(const Image&)> prepare,
                                                   std::int64_t max_bytes);

}  // namespace mgd
