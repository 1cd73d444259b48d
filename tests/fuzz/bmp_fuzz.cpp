// BMP, its header and its pixels.
#include "codec_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz_codec(mgd::bmp_codec(), data, size);
}
