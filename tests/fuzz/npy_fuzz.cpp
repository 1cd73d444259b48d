// .npy, and .npz where the bytes start like a zip.
#include <cstdint>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/npy.h"
#include "mgd/format/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    if (bytes.starts_with("PK"))
      mgd::read_npz(bytes, "fuzz", 1 << 24);
    else
      mgd::read_npy(bytes, "fuzz");
  } catch (const mgd::Error&) {
  }
  return 0;
}
