// Keys of a recipe that are written and change nothing.
#pragma once

#include <string>
#include <vector>

#include "mgd/format/config.h"

namespace mgd {

// A line each, for the console: "data.views=8 changes nothing: without data.augment a picture has one form".
// A key with its default value is none, so that a resolved recipe has no more of them than the written one.
std::vector<std::string> idle_keys(const Config& config);

}  // namespace mgd
