// What the decoders of the picture formats have in common behind decode_image, which chooses by magic bytes.
#pragma once

#include <string_view>

#include "mgd/format/image.h"

namespace mgd {

struct StoredImage {
  Image image;
  int orientation = 1;  // EXIF, 1-8, not yet applied
};

struct PictureCodec {
  const char* name;  // "JPEG"
  bool (*matches)(std::string_view start);
  // The whole file or its first part; nullopt when that is not enough, or damaged.
  std::optional<ImageHeader> (*header)(std::string_view start);
  // Grey stays grey, everything else becomes RGB. Throws Error(bad_data).
  StoredImage (*decode)(std::string_view bytes, const ImageLimits& limits);
};

PictureCodec jpeg_codec();  // libjpeg-turbo
PictureCodec png_codec();   // libpng; 16 bits keep their high byte, alpha is dropped
PictureCodec webp_codec();  // libwebp; the first frame of an animation on its canvas
PictureCodec tiff_codec();  // libtiff; the first page
PictureCodec gif_codec();   // giflib; the first frame on its canvas
PictureCodec bmp_codec();   // our own reader

// The orientation (1-8) of an EXIF block ("II*\0..." or "MM\0*...", with or without "Exif\0\0" before it); 1
// when there is none or it is damaged: a picture with broken metadata is still a picture.
int exif_orientation(std::string_view exif);

// Throws Error(bad_data) when a header asks for no pixels or for more than the limit. `cost` is how many
// times the memory of the pixels the decoder takes.
void check_image_size(const char* kind, std::uint64_t width, std::uint64_t height, const ImageLimits& limits,
                      std::uint64_t cost = 1);

// Throws Error(bad_data) when `bytes` bytes cannot hold that many pixels at `most` pixels a byte.
void check_promise(const char* kind, std::uint64_t width, std::uint64_t height, std::size_t bytes,
                   std::uint64_t most);

// Ink (0 = none) to light, rounded as Pillow does it. `cmyk` holds four values a pixel, the result three.
std::vector<std::uint8_t> cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk);

}  // namespace mgd
