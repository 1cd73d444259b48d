// The first line is a recipe in flow form, every further line an override of it.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "mgd/core/error.h"
#include "mgd/format/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  mgd::Node tree;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    try {
      if (first) {
        tree = mgd::parse_yaml(line, "fuzz.yaml");
      } else {
        mgd::apply_override(tree, line);
      }
    } catch (const mgd::Error&) {
    }
    first = false;
  }
  mgd::to_yaml(tree);
  try {
    mgd::config_with_origins(mgd::read_config(std::move(tree), "/"));
  } catch (const mgd::Error&) {
  }
  return 0;
}
