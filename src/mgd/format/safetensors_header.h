// The JSON of safetensors headers and indexes, read as strictly as the reference library reads it. Only for
// the sources of this format.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace mgd {

// A JSON object without repeated keys. Throws Error(bad_data) naming `source`.
nlohmann::json parse_json_object(std::string_view text, const std::string& source);

// For messages: control characters escaped, long values cut.
std::string shown(const nlohmann::json& value);

}  // namespace mgd
