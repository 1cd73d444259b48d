// Pictures as bytes: JPEG (libjpeg-turbo) and PNG (libpng) in, PNG out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

struct Image {
  std::int64_t height = 0, width = 0, channels = 0;  // channels 1 (grey) or 3 (RGB)
  std::vector<std::uint8_t> pixels;                  // (Y, X, C), row by row
  std::uint8_t at(std::int64_t y, std::int64_t x, std::int64_t c) const {
    return pixels[static_cast<std::size_t>((y * width + x) * channels + c)];
  }
};

// What a file says of its picture before any pixel is decoded. The size is that after the EXIF orientation.
struct ImageHeader {
  std::int64_t height = 0, width = 0;
  std::int64_t channels = 0;  // as stored: 1 (grey) or 3 (any colour)
};

struct ImageLimits {
  std::int64_t max_pixels = 64'000'000;  // refused from the header, before anything is allocated
  int max_scans = 100;                   // progressive JPEG: a bomb holds thousands
};

// Decodes by magic bytes, never by name, into `channels` (1 or 3): grey <-> RGB, CMYK/YCCK, palette, 16-bit
// and alpha (dropped) are converted; the EXIF orientation is applied. Throws Error(bad_data) saying what is
// wrong ("truncated JPEG", "not a JPEG or PNG: starts with 'hello'", "65500 x 65500 pixels, at most ...").
Image decode_image(std::string_view bytes, std::int64_t channels, const ImageLimits& limits = {});

// Reads no more than the header. Throws as decode_image does; what is wrong behind it is not seen.
ImageHeader image_header(std::string_view bytes, const ImageLimits& limits = {});

std::string encode_png(const Image& image);  // 8-bit grey or RGB

}  // namespace mgd
