// What must not change between a run and its resumption: name -> value, for a readable difference.
#pragma once

#include <map>
#include <string>

#include "mgd/train/run.h"

namespace mgd {

std::map<std::string, std::string> run_identity(const Run& run);

// "\n  KEY: was X, is Y" for each key whose value differs.
std::string difference_of(const std::map<std::string, std::string>& was,
                          const std::map<std::string, std::string>& is);

}  // namespace mgd
