// A safetensors file; what is accepted must come back from the writer. A shard index where the bytes start
// like JSON.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    mgd::refuse_pickle(bytes, "fuzz");
    if (bytes.starts_with("{")) {
      mgd::parse_shard_index(bytes, "fuzz");
      return 0;
    }
    const auto content = mgd::parse_safetensors(bytes, "fuzz");
    const std::string written = mgd::write_safetensors(content.tensors, content.metadata);
    if (mgd::parse_safetensors(written, "written").tensors.size() != content.tensors.size()) std::abort();
  } catch (const mgd::Error&) {
  }
  return 0;
}
