#include "mgd/core/error.h"
#include "mgd/format/safetensors.h"
#include "mgd/format/safetensors_header.h"

namespace mgd {

std::map<std::string, std::string> parse_shard_index(std::string_view text, const std::string& source) {
  const nlohmann::json index = parse_json_object(text, source);
  if (!index.contains("weight_map") || !index["weight_map"].is_object())
    fail(ExitCode::bad_data, "{}: no weight_map; not an index of safetensors shards", source);
  std::map<std::string, std::string> shards;
  for (const auto& [name, file] : index["weight_map"].items()) {
    if (!file.is_string())
      fail(ExitCode::bad_data, "{}: the shard of {} is not a file name", source, shown(name));
    const std::string shard = file.get<std::string>();
    if (shard.empty() || shard == "." || shard == ".." ||
        shard.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      fail(ExitCode::refused, "{}: shard {} of {} is not a file name in the same folder", source,
           shown(shard), shown(name));
    shards[name] = shard;
  }
  return shards;
}

}  // namespace mgd
