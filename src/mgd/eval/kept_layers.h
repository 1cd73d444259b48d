// A text model with some of its layers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/io/text_folder.h"

namespace mgd {

// The folder as if the model had only `layers` of it (ascending, from 0), renumbered; of both stacks of an
// encoder-decoder. Every third layer of the rest sees everything where every third of all did. `notes` says
// what is left out. Error(usage) for a layer that is not there, and for one that cannot be the first.
void keep_layers(TextFolder& content, const std::vector<std::int64_t>& layers,
                 std::vector<std::string>& notes);

}  // namespace mgd
