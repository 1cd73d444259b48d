// What readers of several components share.
#pragma once

#include "mgd/text/json_place.h"
#include "mgd/text/regex.h"

namespace mgd {

// {"String": TEXT} or {"Regex": PATTERN}.
Regex read_pattern(const JsonPlace& json);

// "FILE: normalizer: the normalizer 'X' is not supported; known: ...".
[[noreturn]] void refuse_component(const JsonPlace& json, const std::string& type, std::string_view stage,
                                   const std::vector<std::string>& known);

}  // namespace mgd
