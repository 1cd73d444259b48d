// JPEG through libjpeg-turbo. Called by decode_image, which chooses by magic bytes.
#pragma once

#include <string_view>

#include "mgd/format/image.h"

namespace mgd {

struct StoredImage {
  Image image;
  int orientation = 1;  // EXIF, 1-8, not yet applied
};

// Grey stays grey, everything else becomes RGB. Throws Error(bad_data).
StoredImage decode_jpeg(std::string_view bytes, const ImageLimits& limits);
// The same without pixels: only the header is read.
StoredImage read_jpeg_header(std::string_view bytes, const ImageLimits& limits);

// The orientation (1-8) of an EXIF block ("II*\0..." or "MM\0*..."); 1 when there is none or it is damaged: a
// picture with broken metadata is still a picture.
int exif_orientation(std::string_view tiff);

// Throws Error(bad_data) when a header asks for no pixels or for more than the limit.
void check_image_size(const char* kind, std::uint64_t width, std::uint64_t height, const ImageLimits& limits);

}  // namespace mgd
