// JPEG and PNG, by magic bytes.
#include <cstdint>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    mgd::decode_image(bytes, 3, {.max_pixels = 1 << 20, .max_scans = 10});
  } catch (const mgd::Error&) {
  }
  return 0;
}
