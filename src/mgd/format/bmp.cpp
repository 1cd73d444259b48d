// Windows and OS/2 bitmaps. No library fits: what Debian has of them blends the alpha in, or reads three
// kinds.
#include <algorithm>
#include <array>
#include <bit>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

namespace mgd {
namespace {

enum Compression : std::uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kBitfields = 3, kAlphaBitfields = 6 };

constexpr std::size_t kFileHeader = 14;

std::uint32_t little(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[at + i])) << 8 * i;
  return value;
}

struct Layout {
  std::int64_t width = 0, height = 0;
  bool top_down = false, grey = false;
  std::uint32_t bits = 0, compression = kPlain;
  std::array<std::uint32_t, 3> masks{};                    // red, green, blue of 16 and 32 bits
  std::array<std::array<std::uint8_t, 3>, 256> colours{};  // by index, black beyond the palette
  std::size_t pixels = 0;                                  // where they begin
};

// "" or what is wrong; `need` becomes the bytes that the headers take.
std::string read_layout(std::string_view bytes, Layout& layout, std::size_t& need) {
  const auto wants = [&](std::size_t count) { return bytes.size() < (need = std::max(need, count)); };
  if (wants(kFileHeader + 4)) return "truncated";
  const std::size_t size = little(bytes, kFileHeader, 4);
  const bool os2 = size == 12;
  constexpr std::array<std::size_t, 6> kSizes = {40, 52, 56, 64, 108, 124};
  if (!os2 && std::find(kSizes.begin(), kSizes.end(), size) == kSizes.end()) return "unknown header";
  if (wants(kFileHeader + size)) return "truncated";
  const auto side = [&](std::size_t at) -> std::int64_t {
    if (os2) return little(bytes, at, 2);
    return static_cast<std::int32_t>(little(bytes, at, 4));
  };
  layout.width = side(18);
  layout.height = side(os2 ? 20 : 22);
  layout.bits = little(bytes, os2 ? 24 : 28, 2);
  layout.top_down = layout.height < 0;
  layout.height = std::abs(layout.height);
  if (layout.width < 0) return "negative width";
  layout.compression = os2 ? std::uint32_t{kPlain} : little(bytes, 30, 4);
  layout.pixels = little(bytes, 10, 4);

  std::size_t at = kFileHeader + size;
  if (layout.compression == kBitfields || layout.compression == kAlphaBitfields) {
    const std::size_t masks = kFileHeader + 40;  // at the end of a short header, inside a long one
    if (wants(masks + 12)) return "truncated";
    for (std::size_t c = 0; c < 3; ++c) layout.masks[c] = little(bytes, masks + 4 * c, 4);
    if (size == 40) at += layout.compression == kBitfields ? 12 : 16;
    layout.compression = kPlain;
  } else if (layout.bits == 16) {
    layout.masks = {0x7c00, 0x3e0, 0x1f};
  } else {
    layout.masks = {0xff0000, 0xff00, 0xff};
  }
  const bool indexed = layout.bits == 1 || layout.bits == 4 || layout.bits == 8;
  const bool fits = layout.compression == kPlain
                        ? indexed || layout.bits == 16 || layout.bits == 24 || layout.bits == 32
                    : layout.compression == kRle8 ? layout.bits == 8
                                                  : layout.compression == kRle4 && layout.bits == 4;
  if (!fits) return fmt::format("compression {} with {} bits", layout.compression, layout.bits);
  if (!indexed) return "";

  const std::size_t entry = os2 ? 3 : 4, most = std::size_t{1} << layout.bits;
  std::size_t count = os2 ? 0 : little(bytes, 46, 4);
  if (count == 0 || count > most) count = most;
  // OS/2 writers leave out what nobody uses.
  if (layout.pixels > at) count = std::min(count, (layout.pixels - at) / entry);
  if (wants(at + count * entry)) return "truncated";
  layout.grey = true;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c)
      layout.colours[i][c] = static_cast<std::uint8_t>(bytes[at + i * entry + 2 - c]);
    const auto& [r, g, b] = layout.colours[i];
    layout.grey = layout.grey && r == g && g == b;
  }
  return "";
}

bool matches(std::string_view start) {
  return start.starts_with("BM");
}

std::optional<ImageHeader> header(std::string_view start) {
  Layout layout;
  std::size_t need = 0;
  if (!read_layout(start, layout, need).empty()) return std::nullopt;
  return ImageHeader{layout.height, layout.width, layout.grey ? 1 : 3};
}

class Pixels {
 public:
  Pixels(const Layout& layout, std::string_view data)
      : layout_(layout),
        data_(data),
        channels_(layout.grey ? 1 : 3),
        out_(static_cast<std::size_t>(layout.width * layout.height) * channels_) {}

  std::vector<std::uint8_t> plain() {
    const std::size_t width = static_cast<std::size_t>(layout_.width),
                      stride = (width * layout_.bits + 31) / 32 * 4,
                      rows = static_cast<std::size_t>(layout_.height);
    for (std::size_t y = 0; y < rows; ++y) {
      const std::string_view row = data_.substr(y * stride, stride);
      for (std::size_t x = 0; x < width; ++x) {
        if (layout_.bits <= 8)
          put(x, y, index(row, x));
        else
          put_colour(x, y, little(row, x * layout_.bits / 8, layout_.bits / 8));
      }
    }
    return std::move(out_);
  }

  // Pairs of (count, index), and escapes: end of line, end of picture, a step, a stretch of single indices.
  std::vector<std::uint8_t> run_lengths() {
    for (std::size_t i = 0; i < out_.size() / channels_; ++i) put_at(i, 0);
    const bool four = layout_.compression == kRle4;
    std::size_t at = 0, x = 0, y = 0;
    const auto byte = [&] {
      if (at >= data_.size()) fail(ExitCode::bad_data, "truncated BMP");
      return static_cast<std::uint8_t>(data_[at++]);
    };
    const auto run = [&](std::size_t count, auto&& next) {
      std::uint8_t pair = 0;
      for (std::size_t i = 0; i < count; ++i) {
        if (!four || i % 2 == 0) pair = next();
        const auto value = static_cast<std::uint8_t>(four ? (i % 2 == 0 ? pair >> 4 : pair & 15) : pair);
        if (x < static_cast<std::size_t>(layout_.width) && y < static_cast<std::size_t>(layout_.height))
          put(x, y, value);
        ++x;
      }
    };
    while (y < static_cast<std::size_t>(layout_.height)) {
      const std::size_t count = byte();
      const std::uint8_t value = byte();
      if (count > 0) {
        run(count, [&] { return value; });
      } else if (value == 0) {
        x = 0, ++y;
      } else if (value == 1) {
        break;
      } else if (value == 2) {
        x += byte();
        y += byte();
      } else {
        const std::size_t first = at;
        run(value, byte);
        if ((at - first) % 2 != 0) byte();
      }
    }
    return std::move(out_);
  }

 private:
  std::size_t index(std::string_view row, std::size_t x) const {
    const std::size_t bit = x * layout_.bits;
    return static_cast<std::uint8_t>(row[bit / 8]) >> (8 - layout_.bits - bit % 8) &
           ((1U << layout_.bits) - 1);
  }
  std::size_t place(std::size_t x, std::size_t y) const {
    const auto row = layout_.top_down ? y : static_cast<std::size_t>(layout_.height) - 1 - y;
    return row * static_cast<std::size_t>(layout_.width) + x;
  }
  void put(std::size_t x, std::size_t y, std::size_t index) { put_at(place(x, y), index); }
  void put_at(std::size_t pixel, std::size_t index) {
    for (std::size_t c = 0; c < channels_; ++c) out_[pixel * channels_ + c] = layout_.colours[index][c];
  }
  void put_colour(std::size_t x, std::size_t y, std::uint32_t value) {
    for (std::size_t c = 0; c < 3; ++c) {
      const std::uint32_t mask = layout_.masks[c];
      if (mask == 0) continue;
      const auto shift = std::countr_zero(mask);
      out_[place(x, y) * 3 + c] =
          static_cast<std::uint8_t>(std::uint64_t{(value & mask) >> shift} * 255 / (mask >> shift));
    }
  }

  const Layout& layout_;
  std::string_view data_;
  std::size_t channels_;
  std::vector<std::uint8_t> out_;
};

StoredImage decode(std::string_view bytes, const ImageLimits& limits) {
  Layout layout;
  std::size_t need = 0;
  const std::string wrong = read_layout(bytes, layout, need);
  if (wrong == "truncated") fail(ExitCode::bad_data, "truncated BMP");
  if (!wrong.empty()) fail(ExitCode::bad_data, "BMP of a kind that is not read: {}", wrong);
  const auto width = static_cast<std::uint64_t>(layout.width),
             height = static_cast<std::uint64_t>(layout.height);
  check_image_size("BMP", width, height, limits);
  const std::size_t first = std::min(layout.pixels, bytes.size());
  const std::string_view data = bytes.substr(first);
  if (layout.compression == kPlain && (width * layout.bits + 31) / 32 * 4 * height > data.size())
    fail(ExitCode::bad_data, "truncated BMP: {} x {} pixels in {} bytes", width, height, bytes.size());
  // A pair of bytes stands for at most 255 pixels. A step or an early end may stand for more, but not in a
  // file that somebody wanted to make smaller.
  if (layout.compression != kPlain) check_promise("BMP", width, height, bytes.size(), 255);
  Pixels pixels(layout, data);
  StoredImage result;
  result.image = {layout.height, layout.width, layout.grey ? 1 : 3,
                  layout.compression == kPlain ? pixels.plain() : pixels.run_lengths()};
  return result;
}

}  // namespace

PictureCodec bmp_codec() {
  return {"BMP", matches, header, decode};
}

}  // namespace mgd
