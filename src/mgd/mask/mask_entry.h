// The mask options of a recipe's entry, held against the node that they are for.
#pragma once

#include <string>

#include "mgd/mask/sampler.h"

namespace mgd {

// Throws Error(usage) with the place in the recipe, before anything is drawn: for a mask whose units the node
// has not, and for a `size` that it does not read. `options` were read from `entry`, at the dotted path
// `where`; the node is a map or rows.
void check_mask(const Node& entry, const std::string& where, const MaskOptions& options, Axes axes);

}  // namespace mgd
