#include <algorithm>
#include <array>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"
#include "mgd/format/tiff_input.h"

namespace mgd {
namespace {

struct Layout {
  std::uint32_t width = 0, height = 0, bits = 0, samples = 0, photometric = 0, format = 0, orientation = 0;
  bool separate = false, tiled = false;
  std::uint32_t kept =
      0;  // samples of a pixel that count; alpha comes after them. 0: libtiff's own conversion
};

Layout read_layout(const TiffInput& tiff) {
  Layout layout;
  layout.width = tiff.number(TIFFTAG_IMAGEWIDTH);
  layout.height = tiff.number(TIFFTAG_IMAGELENGTH);
  layout.bits = tiff.number(TIFFTAG_BITSPERSAMPLE);
  layout.samples = tiff.number(TIFFTAG_SAMPLESPERPIXEL);
  layout.photometric = tiff.number(TIFFTAG_PHOTOMETRIC);
  layout.format = tiff.number(TIFFTAG_SAMPLEFORMAT);
  layout.orientation = tiff.number(TIFFTAG_ORIENTATION);
  layout.separate = layout.samples > 1 && tiff.number(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  layout.tiled = TIFFIsTiled(tiff.get()) != 0;
  if (layout.photometric == PHOTOMETRIC_YCBCR && tiff.number(TIFFTAG_COMPRESSION) == COMPRESSION_JPEG &&
      !layout.separate && TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) != 0)
    layout.photometric = PHOTOMETRIC_RGB;
  const bool whole = layout.format == SAMPLEFORMAT_UINT || layout.format == SAMPLEFORMAT_VOID;
  const bool bytes = layout.bits == 8 || layout.bits == 16;
  const bool packed = layout.bits == 1 || layout.bits == 2 || layout.bits == 4 || layout.bits == 8;
  switch (whole ? layout.photometric : std::uint32_t{PHOTOMETRIC_CIELAB}) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
      layout.kept = packed || bytes ? 1 : 0;
      break;
    case PHOTOMETRIC_PALETTE:
      layout.kept = packed ? 1 : 0;
      break;
    case PHOTOMETRIC_RGB:
      layout.kept = bytes ? 3 : 0;
      break;
    case PHOTOMETRIC_SEPARATED:
      layout.kept = bytes ? 4 : 0;
      break;
    default:
      break;
  }
  return layout;
}

bool is_grey(const Layout& layout) {
  return layout.photometric == PHOTOMETRIC_MINISWHITE || layout.photometric == PHOTOMETRIC_MINISBLACK;
}

// Rows of packed samples -> the samples that count, eight bits each.
class Samples {
 public:
  Samples(const TiffInput& tiff, const Layout& layout)
      : tiff_(tiff), layout_(layout), out_(std::size_t{layout.width} * layout.height * layout.kept) {}

  std::vector<std::uint8_t> read() {
    // Plane after plane: going to and fro would unpack every strip once a row.
    const std::uint32_t planes = layout_.separate ? layout_.kept : 1;
    for (std::uint32_t plane = 0; plane < planes; ++plane)
      layout_.tiled ? read_tiles(plane) : read_rows(plane);
    return std::move(out_);
  }

 private:
  void read_rows(std::uint32_t plane) {
    std::vector<std::uint8_t> row(buffer_size(TIFFScanlineSize64(tiff_.get()), layout_.width, 1));
    for (std::uint32_t y = 0; y < layout_.height; ++y) {
      if (TIFFReadScanline(tiff_.get(), row.data(), y, static_cast<std::uint16_t>(plane)) < 0) tiff_.report();
      put(row.data(), plane, y, 0, layout_.width);
    }
  }

  void read_tiles(std::uint32_t plane) {
    const std::uint32_t width = tiff_.number(TIFFTAG_TILEWIDTH), height = tiff_.number(TIFFTAG_TILELENGTH);
    if (width == 0 || height == 0) fail(ExitCode::bad_data, "damaged TIFF: tiles of {} x {}", width, height);
    std::vector<std::uint8_t> tile(buffer_size(TIFFTileSize64(tiff_.get()), width, height));
    const auto row_bytes = static_cast<std::size_t>(TIFFTileRowSize64(tiff_.get()));
    for (std::uint32_t y = 0; y < layout_.height; y += height) {
      for (std::uint32_t x = 0; x < layout_.width; x += width) {
        if (TIFFReadTile(tiff_.get(), tile.data(), x, y, 0, static_cast<std::uint16_t>(plane)) < 0)
          tiff_.report();
        const std::uint32_t rows = std::min(height, layout_.height - y);
        for (std::uint32_t r = 0; r < rows; ++r)
          put(tile.data() + r * row_bytes, plane, y + r, x, std::min(width, layout_.width - x));
      }
      if (height > layout_.height - y) break;  // y + height may not fit
    }
  }

  // Of a row or tile: both are small in every file that somebody made to be read.
  std::size_t buffer_size(std::uint64_t size, std::uint64_t width, std::uint64_t height) const {
    constexpr std::uint64_t kMost = 32 << 20;
    const std::uint64_t row = (width * (layout_.separate ? 1 : layout_.samples) * layout_.bits + 7) / 8;
    if (size > kMost || row > size || row * height > size)
      fail(ExitCode::bad_data, "damaged TIFF: rows or tiles of {} bytes for {} x {} pixels", size, width,
           height);
    return static_cast<std::size_t>(size);
  }

  // Pixels x ... x + count - 1 of row y.
  void put(const std::uint8_t* row, std::uint32_t plane, std::uint32_t y, std::uint32_t x,
           std::uint32_t count) {
    const std::uint32_t step = layout_.separate ? 1 : layout_.samples,
                        of_row = layout_.separate ? 1 : layout_.kept;
    auto* out =
        out_.data() + (std::size_t{y} * layout_.width + x) * layout_.kept + (layout_.separate ? plane : 0);
    for (std::uint32_t i = 0; i < count; ++i, out += layout_.kept)
      for (std::uint32_t s = 0; s < of_row; ++s) out[s] = sample(row, std::size_t{i} * step + s);
  }

  std::uint8_t sample(const std::uint8_t* row, std::size_t i) const {
    if (layout_.bits == 8) return row[i];
    if (layout_.bits == 16) {
      std::uint16_t value = 0;
      std::copy_n(row + 2 * i, 2, reinterpret_cast<std::uint8_t*>(&value));
      return static_cast<std::uint8_t>(value >> 8);
    }
    const std::size_t bit = i * layout_.bits;
    const unsigned most = (1U << layout_.bits) - 1;
    const unsigned value = row[bit / 8] >> (8 - layout_.bits - bit % 8) & most;
    return static_cast<std::uint8_t>(is_grey(layout_) ? value * 255 / most : value);
  }

  const TiffInput& tiff_;
  const Layout& layout_;
  std::vector<std::uint8_t> out_;
};

std::vector<std::uint8_t> coloured(const TiffInput& tiff, const Layout& layout,
                                   const std::vector<std::uint8_t>& indices) {
  std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &red, &green, &blue) == 0)
    fail(ExitCode::bad_data, "damaged TIFF: no palette");
  std::vector<std::uint8_t> rgb;
  rgb.reserve(3 * indices.size());
  const unsigned mask = (1U << layout.bits) - 1;  // as many entries has the palette
  for (const auto index : indices)
    for (const auto* table : {red, green, blue})
      rgb.push_back(static_cast<std::uint8_t>(table[index & mask] >> 8));
  return rgb;
}

// Spaces that libtiff knows: YCbCr without JPEG, CIE L*a*b*, LogLuv.
std::vector<std::uint8_t> converted(const TiffInput& tiff, const Layout& layout) {
  std::array<char, 1024> message{};
  if (TIFFRGBAImageOK(tiff.get(), message.data()) == 0)
    fail(ExitCode::bad_data,
         "TIFF of a kind that is not read: {} bits, {} samples, photometric {}, sample format {}",
         layout.bits, layout.samples, layout.photometric, layout.format);
  std::vector<std::uint32_t> raster(std::size_t{layout.width} * layout.height);
  if (TIFFReadRGBAImageOriented(tiff.get(), layout.width, layout.height, raster.data(),
                                static_cast<int>(std::max(1U, layout.orientation)), 1) == 0)
    tiff.report();
  std::vector<std::uint8_t> rgb;
  rgb.reserve(3 * raster.size());
  for (const auto pixel : raster)
    for (const auto value : {TIFFGetR(pixel), TIFFGetG(pixel), TIFFGetB(pixel)})
      rgb.push_back(static_cast<std::uint8_t>(value));
  return rgb;
}

std::vector<std::uint8_t> read_pixels(const TiffInput& tiff, const Layout& layout) {
  if (layout.kept == 0) return converted(tiff, layout);
  if (layout.samples < layout.kept || layout.samples > layout.kept + 2)
    fail(ExitCode::bad_data, "TIFF of a kind that is not read: {} samples a pixel, expected {}, and alpha",
         layout.samples, layout.kept);
  std::vector<std::uint8_t> samples = Samples(tiff, layout).read();
  if (layout.photometric == PHOTOMETRIC_PALETTE) return coloured(tiff, layout, samples);
  if (layout.photometric == PHOTOMETRIC_SEPARATED) return cmyk_to_rgb(samples);
  if (layout.photometric == PHOTOMETRIC_MINISWHITE)
    for (auto& value : samples) value = static_cast<std::uint8_t>(255 - value);
  return samples;
}

std::optional<ImageHeader> header(std::string_view start) {
  try {
    const TiffInput tiff(start);
    const Layout layout = read_layout(tiff);
    return ImageHeader{layout.height, layout.width, is_grey(layout) && layout.kept == 1 ? 1 : 3};
  } catch (const Error&) {
    return std::nullopt;  // the directory may lie at the end
  }
}

StoredImage decode(std::string_view bytes, const ImageLimits& limits) {
  const TiffInput tiff(bytes);
  const Layout layout = read_layout(tiff);
  // Palettes, ink and foreign spaces are converted from a copy of one or four values a pixel.
  const bool copied = layout.kept == 0 || layout.kept == 4 || layout.photometric == PHOTOMETRIC_PALETTE;
  check_image_size("TIFF", layout.width, layout.height, limits, copied ? 2 : 1);
  StoredImage result;
  result.orientation =
      layout.orientation >= 1 && layout.orientation <= 8 ? static_cast<int>(layout.orientation) : 1;
  result.image = {layout.height, layout.width, is_grey(layout) && layout.kept == 1 ? 1 : 3,
                  read_pixels(tiff, layout)};
  return result;
}

}  // namespace

PictureCodec tiff_codec() {
  return {"TIFF", is_tiff, header, decode};
}

}  // namespace mgd
