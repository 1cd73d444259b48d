// The augmentations for a reader: what `mgd help` says of them.
#pragma once

#include <string>
#include <vector>

#include "mgd/format/options.h"

namespace mgd {

// Every augmentation with its options, from the declaration that reads them.
struct AugmentationDescription {
  std::string name, what;
  std::vector<OptionInfo> options;
};
std::vector<AugmentationDescription> describe_augmentations();

}  // namespace mgd
