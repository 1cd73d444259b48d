// Tar, plain and compressed, every entry read.
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const std::string path = "/tmp/mgd_tar_fuzz." + std::to_string(::getpid());
    std::ofstream(path, std::ios::binary) << bytes;
    const auto tree = mgd::open_file_tree(path, {}, 1 << 24);
    for (std::size_t i = 0; i < tree->entries().size(); ++i) tree->read(i);
  } catch (const mgd::Error&) {
  }
  return 0;
}
