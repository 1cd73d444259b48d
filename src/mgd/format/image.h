// Pictures as bytes: JPEG, PNG, WebP, TIFF, GIF and BMP in, PNG out.
#pragma once

#include <cstdint>
#include <optional>
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

struct ImageLimits {
  std::int64_t max_pixels = 64'000'000;  // refused from the header, before anything is allocated
  int max_scans = 100;                   // progressive JPEG: a bomb holds thousands
};

// Decodes by magic bytes, never by name, into `channels` (1 or 3): grey <-> RGB, CMYK/YCCK, palette, 16-bit
// and alpha (dropped) are converted; the EXIF orientation is applied; of several frames or pages the first is
// taken. Throws Error(bad_data) saying what is wrong ("truncated JPEG", "no picture that is known: starts
// with 'hello'", "65500 x 65500 pixels, at most ...").
Image decode_image(std::string_view bytes, std::int64_t channels, const ImageLimits& limits = {});

// ITU-R 601-2 luma from RGB; RGB of three equal planes from grey. `channels` is 1 or 3.
Image to_channels(Image image, std::int64_t channels);

// What a file says before its pixels. The orientation is not applied.
struct ImageHeader {
  std::int64_t height = 0, width = 0;
  std::int64_t channels = 3;  // 1: stored as grey, so that no pixel can have a colour
};
// `start` may be the first part of a file: nullopt when it ends before the answer. Throws Error(bad_data)
// when it is no picture or a damaged one.
std::optional<ImageHeader> read_image_header(std::string_view start);
inline constexpr std::size_t kHeaderBytes = 4096;  // enough of nearly every file
// Of a whole file: Error(bad_data) too when it ends before the answer.
ImageHeader header_of(std::string_view bytes);

std::string encode_png(const Image& image);  // 8-bit grey or RGB

}  // namespace mgd
