// Text for a terminal of 80 columns.
#pragma once

#include <string>

namespace mgd {

// `text` in lines of at most 80 columns, beside and below `left`, which fills the first `left_width` of them.
// Ends in a line break.
std::string wrapped(const std::string& left, std::size_t left_width, const std::string& text);

// Text as it is, but for control characters besides line break and tab, which could steer a terminal: U+FFFD.
std::string terminal_text(const std::string& text);

}  // namespace mgd
