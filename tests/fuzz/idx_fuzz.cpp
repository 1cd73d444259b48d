// IDX, plain and gzipped.
#include <cstdint>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    mgd::read_idx(bytes, "fuzz");
  } catch (const mgd::Error&) {
  }
  return 0;
}
