// A text file, compressed or not: lines in bounded memory, or an Error.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "mgd/core/error.h"
#include "mgd/text/lines.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = "/tmp/mgd_text_stream_" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  constexpr std::size_t kMostLines = 100;  // a small file may unpack to a large one
  try {
    mgd::LineReader lines{mgd::fs::path(path)};
    std::string line;
    for (std::size_t i = 0; i < kMostLines && lines.next(line); ++i) continue;
  } catch (const mgd::Error&) {
  }
  unlink(path.c_str());
  return 0;
}
