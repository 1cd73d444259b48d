// Options as a table for a reader.
#pragma once

#include <string>
#include <vector>

#include "mgd/format/options.h"

namespace mgd {

// A head, then a row each: name, type, default, help with the range; 110 columns.
std::string options_table(const std::vector<OptionInfo>& rows);

}  // namespace mgd
