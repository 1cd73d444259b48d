// CIFAR-10 and CIFAR-100 records.
#include <cstdint>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/cifar_binary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    mgd::read_cifar_batch(bytes, size % 3074 == 0 ? 100 : 10, "fuzz");
  } catch (const mgd::Error&) {
  }
  return 0;
}
