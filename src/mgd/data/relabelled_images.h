// The same pictures with the labels of somebody else's classes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/data/image_source.h"

namespace mgd {

// Label k of `source` becomes places[k], an index into `names`. Shares the source.
std::shared_ptr<const ImageSource> relabelled(std::shared_ptr<const ImageSource> source,
                                              std::vector<std::int64_t> places,
                                              std::vector<std::string> names);

}  // namespace mgd
