// What the targets of single picture formats share: the decoder is asked whatever the first bytes are.
#pragma once

#include <cstdint>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

inline int fuzz_codec(const mgd::PictureCodec& codec, const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (!codec.matches(bytes)) return 0;
  codec.header(bytes);
  codec.header(std::string_view(bytes).substr(0, size / 2));
  try {
    codec.decode(bytes, {.max_pixels = 1 << 20, .max_scans = 10});
  } catch (const mgd::Error&) {
  }
  return 0;
}
