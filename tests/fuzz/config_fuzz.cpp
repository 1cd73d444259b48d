// YAML text -> tree -> checked configuration -> text again: whatever is accepted must read back the same.
#include <cstdint>
#include <cstdlib>

#include "mgd/core/error.h"
#include "mgd/format/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  mgd::Node tree;
  try {
    tree = mgd::parse_yaml(text, "fuzz.yaml");
  } catch (const mgd::Error&) {
    return 0;
  }
  const std::string written = mgd::to_yaml(tree);
  // Escapes make the text longer than what was read; only texts within the limit are promised to read back.
  if (written.size() <= mgd::kMaxYamlBytes && mgd::to_yaml(mgd::parse_yaml(written, "again.yaml")) != written)
    std::abort();
  try {
    const mgd::Config config = mgd::read_config(tree, "/");
    const std::string resolved = mgd::config_to_yaml(config);
    if (mgd::config_to_yaml(mgd::read_config(mgd::parse_yaml(resolved, "r.yaml"), "/")) != resolved)
      std::abort();
    if (mgd::config_with_origins(config).empty()) std::abort();
  } catch (const mgd::Error&) {
  }
  return 0;
}
