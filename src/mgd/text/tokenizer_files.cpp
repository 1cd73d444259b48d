#include "mgd/text/tokenizer_files.h"

#include <nlohmann/json.hpp>
#include <string>

#include "mgd/core/error.h"

namespace mgd {

namespace {

constexpr const char* kReadable[] = {"tokenizer.json", "vocab.txt"};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The subfolder must not lead out of the model's folder: modules.json is data.
void require_inside(const fs::path& folder, const fs::path& inner) {
  const std::string relative =
      inner.lexically_normal().lexically_relative(folder.lexically_normal()).string();
  if (relative.empty() || relative.starts_with(".."))
    fail(ExitCode::refused, "{}: modules.json names {}, which lies outside", folder.string(), inner.string());
}

}  // namespace

fs::path transformer_folder(const fs::path& folder) {
  constexpr std::uint64_t kMostBytes = 1'000'000;
  const fs::path list = folder / "modules.json";
  if (!is_there(list))
    return !is_there(folder / "config.json") && is_there(folder / "0_Transformer/config.json")
               ? folder / "0_Transformer"
               : folder;
  const auto modules =
      nlohmann::json::parse(read_file(list, kMostBytes), nullptr, /*allow_exceptions=*/false);
  for (const auto& module : modules) {
    if (!module.is_object() || !module.contains("type") || !module.contains("path")) continue;
    if (!module["type"].is_string() || !module["path"].is_string()) continue;
    const std::string type = module["type"];
    if (!type.ends_with(".Transformer") && !type.ends_with(".StaticEmbedding")) continue;
    const std::string inner = module["path"];
    if (inner.empty()) return folder;
    require_inside(folder, folder / inner);
    return folder / inner;
  }
  return folder;
}

bool holds_tokenizer(const fs::path& folder) {
  for (const fs::path& place : {folder, transformer_folder(folder)})
    for (const char* name : kReadable)
      if (is_there(place / name)) return true;
  return false;
}

fs::path tokenizer_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  const fs::path inner = transformer_folder(path);
  for (const char* name : kReadable)
    for (const fs::path& place : {path, inner})
      if (is_there(place / name)) return place / name;
  for (const char* name : kTokenizerFiles)
    if (is_there(inner / name) && std::string(name) != "tokenizer_config.json")
      fail(ExitCode::missing_input,
           "{}: there is {}, but no tokenizer.json; make one where transformers is installed:\n"
           "  python3 -c \"import sys; from transformers import AutoTokenizer; "
           "AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])\" {}",
           inner.string(), name, inner.string());
  return inner / "tokenizer.json";  // whoever reads it says that it is not there
}

}  // namespace mgd
