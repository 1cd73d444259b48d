#include "mgd/format/image.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

namespace mgd {
namespace {

// The first bytes as a message can show them: nothing that could move a terminal's cursor.
std::string shown_start(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 16)) text += c >= 32 && c < 127 ? c : '.';
  return text;
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

// In the order in which they are asked; BMP comes last, because its mark is two letters.
std::array<PictureCodec, 6> picture_codecs() {
  return {jpeg_codec(), png_codec(), webp_codec(), tiff_codec(), gif_codec(), bmp_codec()};
}

constexpr const char* kKnown = "JPEG, PNG, WebP, TIFF, GIF or BMP";

// Formats that people own and that no decoder here reads: the message then says what to do.
const char* foreign_format(std::string_view bytes) {
  const std::string_view brand = bytes.size() > 12 ? bytes.substr(4, 8) : "";
  for (const char* heif : {"ftypheic", "ftypheix", "ftypmif1", "ftyphevc", "ftypmsf1"})
    if (brand == heif) return "HEIF";
  if (brand == "ftypavif" || brand == "ftypavis") return "AVIF";
  if (bytes.starts_with(std::string_view("\0\0\0\x0cJXL ", 8)) || bytes.starts_with("\xff\x0a"))
    return "JPEG XL";
  if (bytes.starts_with(std::string_view("\0\0\0\x0cjP  ", 8))) return "JPEG 2000";
  if (bytes.starts_with("8BPS")) return "Photoshop";
  return nullptr;
}

}  // namespace

// Pillow's fixed-point weights.
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

void check_image_size(const char* kind, std::uint64_t width, std::uint64_t height, const ImageLimits& limits,
                      std::uint64_t cost) {
  if (width == 0 || height == 0) fail(ExitCode::bad_data, "damaged {}: {} x {} pixels", kind, width, height);
  // Both fit 32 bits, so the product fits 64.
  const std::uint64_t pixels = width * height;
  const auto most = static_cast<std::uint64_t>(limits.max_pixels);
  if (pixels <= most / cost) return;
  const auto mega = [](double n) { return std::ceil(n / 1e5) / 10; };
  const double counted = mega(static_cast<double>(pixels) * static_cast<double>(cost));
  fail(ExitCode::bad_data,
       "{} of {} x {} pixels: {:g} megapixels{}, at most {:g} are allowed; data.max_megapixels={:g} lets it "
       "in",
       kind, width, height, counted,
       cost > 1 ? fmt::format(" (counted {} times, for what its decoder keeps)", cost) : "",
       static_cast<double>(most) / 1e6, counted);
}

void check_promise(const char* kind, std::uint64_t width, std::uint64_t height, std::size_t bytes,
                   std::uint64_t most) {
  if (width * height / most > bytes)
    fail(ExitCode::bad_data, "truncated {}: {} x {} pixels in {} bytes", kind, width, height, bytes);
}

std::vector<std::uint8_t> cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk) {
  std::vector<std::uint8_t> rgb(cmyk.size() / 4 * 3);
  for (std::size_t i = 0; i < cmyk.size() / 4; ++i) {
    const int light = 255 - cmyk[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int product = cmyk[4 * i + c] * light + 128;
      rgb[3 * i + c] = static_cast<std::uint8_t>(std::max(0, light - (((product >> 8) + product) >> 8)));
    }
  }
  return rgb;
}

int exif_orientation(std::string_view tiff) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  if (tiff.starts_with(kPrefix)) tiff.remove_prefix(kPrefix.size());
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

std::optional<ImageHeader> read_image_header(std::string_view start) {
  for (const PictureCodec& codec : picture_codecs())
    if (codec.matches(start)) return codec.header(start);
  return std::nullopt;
}

ImageHeader header_of(std::string_view bytes) {
  const auto header = read_image_header(bytes);
  if (!header) fail(ExitCode::bad_data, "truncated: {} bytes end before the size is said", bytes.size());
  return *header;
}

Image decode_image(std::string_view bytes, std::int64_t channels, const ImageLimits& limits) {
  MGD_ASSERT(channels == 1 || channels == 3);
  if (bytes.empty()) fail(ExitCode::bad_data, "empty file, expected a {}", kKnown);
  for (const PictureCodec& codec : picture_codecs()) {
    if (!codec.matches(bytes)) continue;
    StoredImage stored = codec.decode(bytes, limits);
    Image image = to_channels(std::move(stored.image), channels);
    if (stored.orientation != 1) image = oriented(image, stored.orientation);
    return image;
  }
  if (const char* foreign = foreign_format(bytes))
    fail(ExitCode::bad_data, "a {} picture, which is not read; convert it to {}", foreign, kKnown);
  fail(ExitCode::bad_data, "no {}: starts with '{}'", kKnown, shown_start(bytes));
}

}  // namespace mgd
