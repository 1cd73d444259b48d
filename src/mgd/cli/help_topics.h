// What `mgd help NAME` explains besides the verbs: sections of a recipe, and everything whose options stand
// in an entry of a list (losses, augmentations, masks). Each row comes from the declaration that reads the
// option.
#pragma once

#include <vector>

#include "mgd/front/args.h"

namespace mgd {

std::vector<HelpTopic> help_topics();

}  // namespace mgd
