// Draws the mask that `words` describe (ops/described_mask.h) on stdout, and as a PNG file where `picture`
// names one.
#pragma once

#include <string>

namespace mgd {

void inspect_mask(const std::string& words, const std::string& picture, bool as_json);

}  // namespace mgd
