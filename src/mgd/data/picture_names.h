// What the name of a file says before it is opened.
#pragma once

#include <string>

namespace mgd {

std::string base_name(const std::string& name);  // "a/b.bin" -> "b.bin"

// The ending in lower case with its dot: ".jpg"; "" without one.
std::string ending_of(const std::string& name);

// Whether the ending is that of a format which decode_image reads: .jpg .jpeg .jpe .jfif .png .webp .bmp .dib
// .tif .tiff .gif, in any case. Only a choice of files: decoding goes by content.
bool is_picture_name(const std::string& name);

// The endings, for messages: ".jpg, .png, ...".
std::string picture_endings();

}  // namespace mgd
