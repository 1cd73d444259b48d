#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

namespace mgd {
namespace {

bool matches(std::string_view start) {
  return start.starts_with("GIF87a") || start.starts_with("GIF89a");
}

int little16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]) | static_cast<std::uint8_t>(bytes[at + 1]) << 8;
}

std::optional<ImageHeader> header(std::string_view start) {
  if (start.size() < 10) return std::nullopt;
  return ImageHeader{little16(start, 8), little16(start, 6), 3};
}

struct Input {
  std::string_view bytes;
  std::size_t used = 0;
};

int on_read(GifFileType* gif, GifByteType* out, int size) {
  auto& input = *static_cast<Input*>(gif->UserData);
  const std::size_t count =
      std::min(static_cast<std::size_t>(std::max(size, 0)), input.bytes.size() - input.used);
  std::memcpy(out, input.bytes.data() + input.used, count);
  input.used += count;
  return static_cast<int>(count);
}

using Handle = std::unique_ptr<GifFileType, int (*)(GifFileType*)>;

[[noreturn]] void damaged() {
  fail(ExitCode::bad_data, "truncated or damaged GIF");
}

void must(int status) {
  if (status != GIF_OK) damaged();
}

// Goes on to the description of the first frame; the index that it declares transparent, or 0. What the frame
// leaves bare shows that colour, as in Pillow.
int find_first_frame(GifFileType* gif) {
  int bare = 0;
  for (;;) {
    GifRecordType type{};
    must(DGifGetRecordType(gif, &type));
    if (type == TERMINATE_RECORD_TYPE) fail(ExitCode::bad_data, "a GIF without a frame");
    if (type == IMAGE_DESC_RECORD_TYPE) {
      must(DGifGetImageDesc(gif));
      return bare;
    }
    int code = 0;
    GifByteType* block = nullptr;
    must(DGifGetExtension(gif, &code, &block));
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4)
      bare = (block[1] & 1) != 0 ? block[4] : 0;
    while (block != nullptr) must(DGifGetExtensionNext(gif, &block));
  }
}

// Colours by index; a file without any holds grey levels.
std::array<GifColorType, 256> palette_of(const GifFileType& gif) {
  std::array<GifColorType, 256> colours{};
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  for (std::size_t i = 0; i < colours.size(); ++i) {
    const auto level = static_cast<GifByteType>(i);
    if (map == nullptr)
      colours[i] = {level, level, level};
    else if (static_cast<int>(i) < map->ColorCount)
      colours[i] = map->Colors[i];
  }
  return colours;
}

// Interlaced rows come in four passes.
std::vector<int> row_order(int height, bool interlaced) {
  std::vector<int> rows;
  if (!interlaced)
    for (int y = 0; y < height; ++y) rows.push_back(y);
  else
    for (const auto& [first, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}})
      for (int y = first; y < height; y += step) rows.push_back(y);
  return rows;
}

StoredImage decode(std::string_view bytes, const ImageLimits& limits) {
  Input input{bytes};
  int error = 0;
  const Handle gif(DGifOpen(&input, on_read, &error),
                   [](GifFileType* file) { return DGifCloseFile(file, nullptr); });
  if (!gif) damaged();
  const int bare = find_first_frame(gif.get());
  const GifImageDesc& frame = gif->Image;
  if (frame.Left < 0 || frame.Top < 0 || frame.Width <= 0 || frame.Height <= 0) damaged();
  // Pillow, too, makes room for a frame that is larger than the screen.
  const auto width = static_cast<std::size_t>(std::max(gif->SWidth, frame.Left + frame.Width)),
             height = static_cast<std::size_t>(std::max(gif->SHeight, frame.Top + frame.Height));
  check_image_size("GIF", width, height, limits);
  // The longest string of LZW is 4096 indices for a code of 12 bits.
  check_promise("GIF", static_cast<std::uint64_t>(frame.Width), static_cast<std::uint64_t>(frame.Height),
                bytes.size(), 4096);

  const auto colours = palette_of(*gif);
  StoredImage result;
  result.image = {static_cast<std::int64_t>(height), static_cast<std::int64_t>(width), 3, {}};
  auto& pixels = result.image.pixels;
  pixels.resize(width * height * 3);
  const auto put = [&](std::size_t pixel, std::size_t index) {
    pixels[3 * pixel] = colours[index].Red;
    pixels[3 * pixel + 1] = colours[index].Green;
    pixels[3 * pixel + 2] = colours[index].Blue;
  };
  for (std::size_t i = 0; i < width * height; ++i) put(i, static_cast<std::size_t>(bare));
  std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
  for (const int y : row_order(frame.Height, frame.Interlace)) {
    must(DGifGetLine(gif.get(), line.data(), frame.Width));
    const std::size_t first =
        static_cast<std::size_t>(frame.Top + y) * width + static_cast<std::size_t>(frame.Left);
    for (std::size_t x = 0; x < line.size(); ++x) put(first + x, line[x]);
  }
  return result;
}

}  // namespace

PictureCodec gif_codec() {
  return {"GIF", matches, header, decode};
}

}  // namespace mgd
