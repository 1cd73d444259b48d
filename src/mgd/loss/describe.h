// The losses for a reader: what `mgd help` says of them.
#pragma once

#include <string>
#include <vector>

#include "mgd/format/options.h"

namespace mgd {

// Every loss with the options that its entry takes, from the declaration that reads them. An option without a
// type belongs to what reads it instead, such as the mask of an entry.
struct LossDescription {
  std::string name, what;
  std::vector<OptionInfo> options;
};
std::vector<LossDescription> describe_losses();

}  // namespace mgd
