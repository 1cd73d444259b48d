#include <png.h>

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

namespace mgd {
namespace {

// A chunk of text or a colour profile is compressed as well: what one may unpack to.
constexpr std::size_t kMaxChunkBytes = 1 << 20;

// A byte of deflate makes at most 1032: a match of 258 for two bits.
constexpr std::uint64_t kMostDeflate = 1032;

struct Reader {
  std::string_view bytes;
  std::size_t used = 0;
  std::array<char, 200> message{};
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto& message = static_cast<Reader*>(png_get_error_ptr(png))->message;
  std::snprintf(message.data(), message.size(), "%s", text);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, std::size_t size) {
  auto& reader = *static_cast<Reader*>(png_get_io_ptr(png));
  if (size > reader.bytes.size() - reader.used) png_error(png, "truncated");
  std::memcpy(out, reader.bytes.data() + reader.used, size);
  reader.used += size;
}

// Functions under setjmp hold nothing that needs a destructor: longjmp runs none.
bool read_header(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_read_fn(reader.png, &reader, on_read);
  png_set_user_limits(reader.png, 0x7fffffff, 0x7fffffff);  // ours come right after, with a better message
  png_set_chunk_malloc_max(reader.png, kMaxChunkBytes);
  png_read_info(reader.png, reader.info);
  return true;
}

bool read_pixels(Reader& reader, std::uint8_t* out, std::size_t row_bytes, std::uint32_t height) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  const int passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  if (png_get_rowbytes(reader.png, reader.info) != row_bytes) png_error(reader.png, "unexpected row size");
  for (int pass = 0; pass < passes; ++pass)
    for (std::uint32_t y = 0; y < height; ++y) png_read_row(reader.png, out + y * row_bytes, nullptr);
  return true;
}

bool set_conversions(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_strip_16(reader.png);
  png_set_palette_to_rgb(reader.png);
  png_set_expand_gray_1_2_4_to_8(reader.png);
  png_set_strip_alpha(reader.png);
  return true;
}

bool start_write(png_structp png, png_infop info, const Image& image, std::string& out) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(
      png, &out,
      [](png_structp p, png_bytep data, std::size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<const char*>(data), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (std::int64_t y = 0; y < image.height; ++y)
    png_write_row(png, image.pixels.data() + y * image.width * image.channels);
  png_write_end(png, info);
  return true;
}

[[noreturn]] void report(const Reader& reader) {
  const std::string_view message = reader.message.data();
  if (message == "truncated") fail(ExitCode::bad_data, "truncated PNG");
  fail(ExitCode::bad_data, "damaged PNG: {}", message);
}

bool matches(std::string_view start) {
  return start.starts_with("\x89PNG\r\n\x1a\n");
}

std::optional<ImageHeader> header(std::string_view start) {
  constexpr std::size_t kHeaderBytes = 26;  // signature, length, IHDR, width, height, depth, colour type
  if (start.size() < kHeaderBytes || start.substr(12, 4) != "IHDR") return std::nullopt;
  const auto* bytes = reinterpret_cast<png_const_bytep>(start.data());
  return ImageHeader{png_get_uint_32(bytes + 20), png_get_uint_32(bytes + 16),
                     (bytes[25] & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1};
}

StoredImage decode(std::string_view bytes, const ImageLimits& limits) {
  Reader reader;
  reader.bytes = bytes;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) fail(ExitCode::out_of_memory, "PNG: no memory for the decoder");
  if (!read_header(reader)) report(reader);
  const std::uint32_t width = png_get_image_width(reader.png, reader.info);
  const std::uint32_t height = png_get_image_height(reader.png, reader.info);
  check_image_size("PNG", width, height, limits);
  if (png_get_rowbytes(reader.png, reader.info) * height > kMostDeflate * bytes.size())
    fail(ExitCode::bad_data, "truncated PNG: {} x {} pixels in {} bytes", width, height, bytes.size());

  StoredImage result;
  png_uint_32 exif_bytes = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(reader.png, reader.info, &exif_bytes, &exif) != 0 && exif != nullptr)
    result.orientation = exif_orientation({reinterpret_cast<const char*>(exif), exif_bytes});
  const bool colour = (png_get_color_type(reader.png, reader.info) & PNG_COLOR_MASK_COLOR) != 0;
  const std::size_t row_bytes = std::size_t{width} * (colour ? 3 : 1);
  result.image = {height, width, colour ? 3 : 1, std::vector<std::uint8_t>(row_bytes * height)};
  if (!set_conversions(reader) || !read_pixels(reader, result.image.pixels.data(), row_bytes, height))
    report(reader);
  return result;
}

}  // namespace

PictureCodec png_codec() {
  return {"PNG", matches, header, decode};
}

std::string encode_png(const Image& image) {
  MGD_ASSERT((image.channels == 1 || image.channels == 3) && image.height > 0 && image.width > 0);
  MGD_ASSERT(image.pixels.size() == static_cast<std::size_t>(image.height * image.width * image.channels));
  std::string out;
  Reader errors;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &errors, on_error, on_warning);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  const bool ok = info != nullptr && start_write(png, info, image, out);
  png_destroy_write_struct(&png, &info);
  if (!ok) fail(ExitCode::out_of_memory, "PNG: cannot encode: {}", errors.message.data());
  return out;
}

}  // namespace mgd
