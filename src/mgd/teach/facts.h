// What something depends on: name -> value.
#pragma once

#include <map>
#include <string>

namespace mgd {

// "\n  KEY: was X, is Y" for each key whose value differs.
std::string difference_of(const std::map<std::string, std::string>& was,
                          const std::map<std::string, std::string>& is);

}  // namespace mgd
