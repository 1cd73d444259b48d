// The manifest.json of a checkpoint; what is accepted must come back from the writer.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mgd/core/error.h"
#include "mgd/core/publish.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const mgd::Manifest files = mgd::parse_manifest(bytes);
    if (mgd::parse_manifest(mgd::manifest_json(files)).size() != files.size()) std::abort();
  } catch (const mgd::Error&) {
  }
  return 0;
}
