#include "mgd/format/tiff_input.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstring>

#include "mgd/core/error.h"

namespace mgd {
namespace {

constexpr std::uint64_t kMostEntries = 512;

// The number of entries of the first directory, or nothing when it lies outside.
std::uint64_t directory_entries(std::string_view bytes) {
  const bool big_endian = bytes[0] == 'M', big_tiff = bytes[big_endian ? 3 : 2] == 43;
  const auto read = [&](std::uint64_t at, std::uint64_t count) {
    if (at > bytes.size() || count > bytes.size() - at) fail(ExitCode::bad_data, "truncated TIFF");
    std::uint64_t value = 0;
    for (std::uint64_t i = 0; i < count; ++i)
      value = value << 8 | static_cast<std::uint8_t>(bytes[at + (big_endian ? i : count - 1 - i)]);
    return value;
  };
  return big_tiff ? read(read(8, 8), 8) : read(read(4, 4), 2);
}

}  // namespace

bool is_tiff(std::string_view start) {
  using namespace std::string_view_literals;
  for (const auto magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    if (start.starts_with(magic)) return true;
  return false;
}

int TiffInput::on_error(TIFF*, void* self, const char*, const char* format, va_list values) {
  std::array<char, 200> text{};
  std::vsnprintf(text.data(), text.size(), format, values);
  auto& message = static_cast<TiffInput*>(self)->message_;
  if (message.empty()) message = text.data();  // the first is the cause
  return 1;
}

tmsize_t TiffInput::on_read(thandle_t handle, void* out, tmsize_t size) {
  auto& self = *static_cast<TiffInput*>(handle);
  if (self.at_ >= self.bytes_.size() || size <= 0) return 0;
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(size), self.bytes_.size() - self.at_);
  std::memcpy(out, self.bytes_.data() + self.at_, count);
  self.at_ += count;
  return static_cast<tmsize_t>(count);
}

toff_t TiffInput::on_seek(thandle_t handle, toff_t offset, int whence) {
  auto& self = *static_cast<TiffInput*>(handle);
  if (whence == SEEK_CUR) offset += self.at_;
  if (whence == SEEK_END) offset += self.bytes_.size();
  return self.at_ = offset;
}

TiffInput::TiffInput(std::string_view bytes) : bytes_(bytes) {
  const auto entries = directory_entries(bytes);
  if (entries > kMostEntries)
    fail(ExitCode::bad_data, "TIFF with a directory of {} entries, at most {} are allowed", entries,
         kMostEntries);
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  if (options == nullptr) fail(ExitCode::out_of_memory, "TIFF: no memory for the decoder");
  // What a table or a compressed strip may take; rows come one by one.
  TIFFOpenOptionsSetMaxSingleMemAlloc(options,
                                      (tmsize_t{16} << 20) + 2 * static_cast<tmsize_t>(bytes.size()));
  TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(
      options, [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
  tiff_ = TIFFClientOpenExt(
      "picture", "rm", this, on_read, [](thandle_t, void*, tmsize_t) { return tmsize_t{0}; }, on_seek,
      [](thandle_t) { return 0; },
      [](thandle_t self) { return toff_t{static_cast<TiffInput*>(self)->bytes_.size()}; }, nullptr, nullptr,
      options);
  TIFFOpenOptionsFree(options);
  if (tiff_ == nullptr) report();
}

TiffInput::~TiffInput() {
  TIFFClose(tiff_);
}

std::uint32_t TiffInput::number(std::uint32_t tag) const {
  if (tag == TIFFTAG_IMAGEWIDTH || tag == TIFFTAG_IMAGELENGTH || tag == TIFFTAG_TILEWIDTH ||
      tag == TIFFTAG_TILELENGTH) {
    std::uint32_t value = 0;
    return TIFFGetFieldDefaulted(tiff_, tag, &value) != 0 ? value : 0;
  }
  std::uint16_t value = 0;
  return TIFFGetFieldDefaulted(tiff_, tag, &value) != 0 ? value : 0;
}

void TiffInput::report() const {
  fail(ExitCode::bad_data, "damaged TIFF: {}", message_.empty() ? "unknown error" : printable(message_));
}

}  // namespace mgd
