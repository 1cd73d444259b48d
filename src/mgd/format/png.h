// PNG through libpng. Called by decode_image, which chooses by magic bytes.
#pragma once

#include <string_view>

#include "mgd/format/image.h"
#include "mgd/format/jpeg.h"

namespace mgd {

// Grey stays grey, everything else becomes RGB; 16 bits keep their high byte, alpha is dropped. Throws
// Error(bad_data).
StoredImage decode_png(std::string_view bytes, const ImageLimits& limits);
// The same without pixels: only what stands before them is read.
StoredImage read_png_header(std::string_view bytes, const ImageLimits& limits);

}  // namespace mgd
