// What must not change between a run and its resumption: name -> value, for a readable difference.
#pragma once

#include <map>
#include <string>

#include "mgd/train/run.h"

namespace mgd {

std::map<std::string, std::string> run_identity(const Run& run);

}  // namespace mgd
