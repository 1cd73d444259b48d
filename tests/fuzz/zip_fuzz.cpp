// Zip, every entry read; arrays in it are told from pictures.
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/archive.h"
#include "mgd/format/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (!bytes.starts_with("PK")) return 0;
  try {
    const std::string path = "/tmp/mgd_zip_fuzz." + std::to_string(::getpid());
    std::ofstream(path, std::ios::binary) << bytes;
    mgd::is_npz(path);
    const auto tree = mgd::open_file_tree(path, {}, 1 << 24);
    for (std::size_t i = 0; i < tree->entries().size(); ++i) {
      tree->read(i);
      tree->read_start(i, 16);
    }
  } catch (const mgd::Error&) {
  }
  return 0;
}
