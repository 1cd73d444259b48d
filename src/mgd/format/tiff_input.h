// A TIFF in memory, opened with libtiff so that neither its directory nor its messages get out of hand.
#pragma once

#include <tiffio.h>

#include <memory>
#include <string>
#include <string_view>

namespace mgd {

class TiffInput {
 public:
  // The first page. Throws Error(bad_data), also for a directory of more than some hundred entries: libtiff
  // takes quadratic time over those it does not know.
  explicit TiffInput(std::string_view bytes);
  ~TiffInput();
  TiffInput(const TiffInput&) = delete;
  TiffInput& operator=(const TiffInput&) = delete;

  TIFF* get() const { return tiff_; }
  std::uint32_t number(std::uint32_t tag) const;  // of a tag of 16 or 32 bits; its default when it is absent
  [[noreturn]] void report() const;               // what libtiff complained of, as Error(bad_data)

 private:
  static int on_error(TIFF*, void* self, const char*, const char* format, va_list values);
  static tmsize_t on_read(thandle_t self, void* out, tmsize_t size);
  static toff_t on_seek(thandle_t self, toff_t offset, int whence);

  std::string_view bytes_;
  toff_t at_ = 0;
  std::string message_;
  TIFF* tiff_ = nullptr;
};

// Whether the first bytes are those of a TIFF or BigTIFF.
bool is_tiff(std::string_view start);

}  // namespace mgd
