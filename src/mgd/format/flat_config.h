// A resolved configuration as a list of keys, and what differs between two.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/format/options.h"

namespace mgd {

// "train.lr" -> "0.1", a list as it is written in a line; without what changes no result: seed, folders,
// threads, caches.
std::map<std::string, std::string> flat_config(const Node& config);

// "train.lr: 0.001 -> 0.03", a line a key; "(none)" where one of the two has it not.
std::vector<std::string> config_changes(const Node& was, const Node& is);

}  // namespace mgd
