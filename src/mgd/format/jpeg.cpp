#include <array>
#include <csetjmp>
#include <cstdio>
#include <string>

// These two need <cstdio> before them.
#include <jerror.h>
#include <jpeglib.h>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

namespace mgd {
namespace {

// What the callbacks of libjpeg see. `errors` comes first: libjpeg hands back a pointer to it.
struct Decoder {
  jpeg_error_mgr errors{};
  std::jmp_buf on_error;
  jpeg_progress_mgr progress{};
  jpeg_decompress_struct info{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  int max_scans = 0;
  bool truncated = false;
};

Decoder& decoder_of(j_common_ptr info) {
  return *reinterpret_cast<Decoder*>(info->err);
}

[[noreturn]] void give_up(j_common_ptr info) {
  Decoder& decoder = decoder_of(info);
  info->err->format_message(info, decoder.message.data());
  std::longjmp(decoder.on_error, 1);
}

// libjpeg fills what is missing with grey and warns; a training picture that is half grey is worse than none.
// Harmless warnings (extraneous bytes between markers, odd Adobe markers) pass, as they do in Pillow.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
      decoder_of(info).truncated = true;
      give_up(info);
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
      give_up(info);
    default:
      break;
  }
}

void on_progress(j_common_ptr info) {
  Decoder& decoder = decoder_of(info);
  if (decoder.info.input_scan_number <= decoder.max_scans) return;
  std::snprintf(decoder.message.data(), decoder.message.size(), "more than %d scans", decoder.max_scans);
  std::longjmp(decoder.on_error, 1);
}

void begin(Decoder& decoder, std::string_view bytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = give_up;
  decoder.errors.emit_message = on_message;
  decoder.progress.progress_monitor = on_progress;
  jpeg_create_decompress(&decoder.info);
  decoder.info.progress = &decoder.progress;
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&decoder.info, TRUE);
}

// Both run under setjmp: nothing in them or below may need a destructor, as longjmp runs none.
bool read_header(Decoder& decoder, std::string_view bytes) {
  if (setjmp(decoder.on_error)) return false;
  begin(decoder, bytes);
  auto& info = decoder.info;
  if (info.num_components == 4)
    info.out_color_space = JCS_CMYK;
  else if (info.jpeg_color_space == JCS_GRAYSCALE)
    info.out_color_space = JCS_GRAYSCALE;
  else
    info.out_color_space = JCS_RGB;
  return true;
}

bool read_pixels(Decoder& decoder, std::uint8_t* out, std::size_t row_bytes) {
  if (setjmp(decoder.on_error)) return false;
  jpeg_start_decompress(&decoder.info);
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = out + decoder.info.output_scanline * row_bytes;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  jpeg_finish_decompress(&decoder.info);
  return true;
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with("Exif")) return exif_orientation(data);
  }
  return 1;
}

// Before the pixels are allocated: what the header promises must be able to stand in the file.
void check_header(jpeg_decompress_struct& info, std::size_t bytes, const ImageLimits& limits) {
  const std::uint64_t width = info.image_width, height = info.image_height;
  // With several scans libjpeg keeps all coefficients, two bytes a value, beside the pixels.
  const bool scans = jpeg_has_multiple_scans(&info);
  check_image_size(scans ? "progressive JPEG" : "JPEG", width, height, limits, scans ? 3 : 1);
  // Huffman coding spends at least one bit on each block of 8 x 8.
  if (!info.arith_code) check_promise("JPEG", width, height, bytes, 8 * 64);
}

struct Destroy {
  jpeg_decompress_struct& info;
  ~Destroy() { jpeg_destroy_decompress(&info); }
};

[[noreturn]] void report(const Decoder& decoder) {
  if (decoder.truncated) fail(ExitCode::bad_data, "truncated JPEG");
  fail(ExitCode::bad_data, "damaged JPEG: {}", decoder.message.data());
}

bool matches(std::string_view start) {
  return start.starts_with("\xff\xd8\xff");
}

std::optional<ImageHeader> header(std::string_view start) {
  Decoder decoder;
  const Destroy destroy{decoder.info};
  if (!read_header(decoder, start)) return std::nullopt;
  const auto& info = decoder.info;
  return ImageHeader{info.image_height, info.image_width, info.out_color_space == JCS_GRAYSCALE ? 1 : 3};
}

StoredImage decode(std::string_view bytes, const ImageLimits& limits) {
  Decoder decoder;
  decoder.max_scans = limits.max_scans;
  const Destroy destroy{decoder.info};
  if (!read_header(decoder, bytes)) report(decoder);
  auto& info = decoder.info;
  check_header(info, bytes.size(), limits);

  StoredImage result;
  result.orientation = orientation_of(info);
  const int stored_channels =
      info.out_color_space == JCS_CMYK ? 4 : (info.out_color_space == JCS_GRAYSCALE ? 1 : 3);
  const std::size_t row_bytes = std::size_t{info.image_width} * static_cast<std::size_t>(stored_channels);
  std::vector<std::uint8_t> pixels(row_bytes * info.image_height);
  if (!read_pixels(decoder, pixels.data(), row_bytes)) report(decoder);
  if (stored_channels == 4) {
    // Adobe stores CMYK inverted, and every writer of CMYK JPEGs follows it.
    for (auto& value : pixels) value = static_cast<std::uint8_t>(255 - value);
    pixels = cmyk_to_rgb(pixels);
  }
  result.image = {info.image_height, info.image_width, stored_channels == 1 ? 1 : 3, std::move(pixels)};
  return result;
}

}  // namespace

PictureCodec jpeg_codec() {
  return {"JPEG", matches, header, decode};
}

}  // namespace mgd
