// A generation_config.json, and the same bytes as a config.json: settings, or Error(bad_data).
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mgd/core/error.h"
#include "mgd/format/generation_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool of_config : {false, true}) {
    try {
      const std::string settings =
          of_config ? mgd::generation_settings_of_config(text, "fuzz") : std::string(text);
      static_cast<void>(mgd::parse_generation_settings(settings, "fuzz"));
    } catch (const mgd::Error&) {
    }
  }
  return 0;
}
