// A folder that is to be written into.
#pragma once

#include "mgd/core/file.h"

namespace mgd {

// With those above it; nothing when it is there. Throws Error(cannot_create), also for a name that is too
// long.
void make_folder(const fs::path& path);

}  // namespace mgd
