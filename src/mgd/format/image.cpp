#include "mgd/format/image.h"

#include "mgd/core/error.h"
#include "mgd/format/jpeg.h"
#include "mgd/format/png.h"

namespace mgd {
namespace {

// The first bytes as a message can show them: nothing that could move a terminal's cursor.
std::string shown_start(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 16)) text += c >= 32 && c < 127 ? c : '.';
  return text;
}

// ITU-R 601-2 luma with Pillow's fixed-point weights.
Image to_channels(Image image, std::int64_t channels) {
  if (image.channels == channels) return image;
  const std::size_t count = static_cast<std::size_t>(image.height * image.width);
  std::vector<std::uint8_t> pixels(count * static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < count; ++i) {
    if (channels == 3) {
      pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = image.pixels[i];
    } else {
      const auto* p = &image.pixels[3 * i];
      pixels[i] = static_cast<std::uint8_t>((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
    }
  }
  image.pixels = std::move(pixels);
  image.channels = channels;
  return image;
}

// EXIF orientations 5-8 exchange rows and columns; the others only mirror. Source pixel of each target pixel.
Image oriented(const Image& image, int orientation) {
  const bool transposed = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out{transposed ? image.width : image.height, transposed ? image.height : image.width, image.channels,
            std::vector<std::uint8_t>(image.pixels.size())};
  auto* target = out.pixels.data();
  for (std::int64_t y = 0; y < out.height; ++y)
    for (std::int64_t x = 0; x < out.width; ++x) {
      std::int64_t sy = transposed ? x : y, sx = transposed ? y : x;
      if (flip_x) sx = image.width - 1 - sx;
      if (flip_y) sy = image.height - 1 - sy;
      for (std::int64_t c = 0; c < image.channels; ++c) *target++ = image.at(sy, sx, c);
    }
  return out;
}

}  // namespace

void check_image_size(const char* kind, std::uint64_t width, std::uint64_t height,
                      const ImageLimits& limits) {
  if (width == 0 || height == 0) fail(ExitCode::bad_data, "damaged {}: {} x {} pixels", kind, width, height);
  // Both fit 32 bits, so the product fits 64.
  if (width * height > static_cast<std::uint64_t>(limits.max_pixels))
    fail(ExitCode::bad_data, "{} of {} x {} pixels, at most {} pixels are allowed", kind, width, height,
         limits.max_pixels);
}

int exif_orientation(std::string_view tiff) {
  if (tiff.size() < 8) return 1;
  const bool big = tiff.starts_with("MM");
  if (!big && !tiff.starts_with("II")) return 1;
  const auto read = [&](std::size_t at, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
      value = value << 8 | static_cast<std::uint8_t>(tiff[at + (big ? i : count - 1 - i)]);
    return value;
  };
  const std::size_t directory = read(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = read(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + 12 * i;
    if (at + 12 > tiff.size()) return 1;
    constexpr std::uint32_t kOrientation = 0x0112, kShort = 3;
    if (read(at, 2) != kOrientation || read(at + 2, 2) != kShort) continue;
    const std::uint32_t value = read(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

namespace {

using Reader = StoredImage (*)(std::string_view, const ImageLimits&);

// The reader of pixels or, with `header`, of the header alone.
Reader reader_of(std::string_view bytes, bool header) {
  if (bytes.empty()) fail(ExitCode::bad_data, "empty file, expected a JPEG or PNG");
  if (bytes.starts_with("\xff\xd8\xff")) return header ? read_jpeg_header : decode_jpeg;
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return header ? read_png_header : decode_png;
  fail(ExitCode::bad_data, "not a JPEG or PNG: starts with '{}'", shown_start(bytes));
}

}  // namespace

ImageHeader image_header(std::string_view bytes, const ImageLimits& limits) {
  const StoredImage stored = reader_of(bytes, true)(bytes, limits);
  ImageHeader header{.height = stored.image.height, .width = stored.image.width,
                     .channels = stored.image.channels};
  if (stored.orientation >= 5) std::swap(header.height, header.width);
  return header;
}

Image decode_image(std::string_view bytes, std::int64_t channels, const ImageLimits& limits) {
  MGD_ASSERT(channels == 1 || channels == 3);
  StoredImage stored = reader_of(bytes, false)(bytes, limits);
  Image image = to_channels(std::move(stored.image), channels);
  if (stored.orientation != 1) image = oriented(image, stored.orientation);
  return image;
}

}  // namespace mgd
