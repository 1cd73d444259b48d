#include "mgd/io/text_folder.h"

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/core/publish.h"
#include "mgd/format/json_field.h"

namespace mgd {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kMostJsonBytes = 100'000'000;
constexpr const char* kTokenizerFiles[] = {
    "tokenizer.json", "tokenizer_config.json",   "vocab.txt",         "vocab.json",
    "merges.txt",     "special_tokens_map.json", "added_tokens.json", "sentence_bert_config.json"};
constexpr std::string_view kModule = "sentence_transformers.models.";

json read_object(const fs::path& path) {
  return parse_json_object(read_file(path, kMostJsonBytes), path.string());
}

void read_pooling(const fs::path& path, TextConfig& config) {
  const json object = read_object(path);
  constexpr std::pair<const char*, const char*> kKnown[] = {{"pooling_mode_cls_token", "cls"},
                                                            {"pooling_mode_mean_tokens", "mean"},
                                                            {"pooling_mode_lasttoken", "last"}};
  std::vector<std::string> chosen;
  for (const auto& [key, value] : object.items()) {
    if (!key.starts_with("pooling_mode_") || !JsonField(object, path.string(), key).boolean()) continue;
    std::string mode;
    for (const auto& [known, name] : kKnown)
      if (key == known) mode = name;
    if (mode.empty())
      JsonField(object, path.string(), key)
          .fail_as("is not supported; known: cls_token, mean_tokens, lasttoken");
    chosen.push_back(mode);
  }
  if (chosen.size() != 1)
    fail(ExitCode::bad_data, "{}: got {} pooling modes, expected one", path.string(), chosen.size());
  config.pooling = chosen[0];
}

// sentence-transformers: what comes after the Transformer, and in which subfolder that lies.
fs::path read_modules(const fs::path& folder, TextConfig& config) {
  const fs::path path = folder / "modules.json";
  const json modules = json::parse(read_file(path, kMostJsonBytes), nullptr, /*allow_exceptions=*/false);
  if (!modules.is_array()) fail(ExitCode::bad_data, "{}: expected a list of modules", path.string());
  fs::path weights = folder;
  config.normalize = false;
  for (const json& module : modules) {
    const std::string type = JsonField(module, path.string(), "type").text();
    const fs::path at = folder / JsonField(module, path.string(), "path").text();
    const std::string name = type.starts_with(kModule) ? type.substr(kModule.size()) : type;
    if (name == "Transformer")
      weights = at;
    else if (name == "Pooling")
      read_pooling(at / "config.json", config);
    else if (name == "Normalize")
      config.normalize = true;
    else
      fail(ExitCode::bad_data, "{}: module '{}' is not supported; known: Transformer, Pooling, Normalize",
           path.string(), printable(type));
  }
  return weights;
}

// The subfolder must not lead out of the model's folder: modules.json is data.
void require_inside(const fs::path& folder, const fs::path& inner) {
  const std::string relative = inner.lexically_relative(folder).string();
  if (relative.empty() || relative.starts_with(".."))
    fail(ExitCode::refused, "{}: modules.json names {}, which lies outside", folder.string(), inner.string());
}

void add_sentence_files(DirectoryPublisher& publisher, const TextConfig& config) {
  ordered_json modules = ordered_json::array();
  const auto module = [&](const char* type, const std::string& path) {
    const std::size_t i = modules.size();
    modules.push_back(
        {{"idx", i}, {"name", fmt::format("{}", i)}, {"path", path}, {"type", std::string(kModule) + type}});
  };
  module("Transformer", "");
  module("Pooling", "1_Pooling");
  if (config.normalize) module("Normalize", "2_Normalize");
  publisher.add("modules.json", modules.dump(2) + "\n");
  const ordered_json pooling = {{"word_embedding_dimension", config.hidden_size},
                                {"pooling_mode_cls_token", config.pooling == "cls"},
                                {"pooling_mode_mean_tokens", config.pooling == "mean"},
                                {"pooling_mode_max_tokens", false},
                                {"pooling_mode_mean_sqrt_len_tokens", false},
                                {"pooling_mode_lasttoken", config.pooling == "last"}};
  publisher.add("1_Pooling/config.json", pooling.dump(2) + "\n");
}

}  // namespace

bool is_text_folder(const std::string& folder) {
  const fs::path config = fs::path(folder) / "config.json";
  return (fs::exists(config) && read_object(config).contains("model_type")) ||
         fs::exists(fs::path(folder) / "modules.json");
}

TextFolder load_text_folder(const std::string& folder) {
  const fs::path root = folder;
  if (!fs::is_directory(root)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
  TextFolder loaded;
  TextConfig sentence;
  const bool modules = fs::exists(root / "modules.json");
  const fs::path inner = modules ? read_modules(root, sentence) : root;
  if (modules) require_inside(root, inner);
  const fs::path weights = weights_of_folder(inner);
  const fs::path config = inner / "config.json";
  loaded.config = parse_text_config(read_file(config, kMostJsonBytes), config.string());
  if (modules) {
    loaded.config.head = TextHead::encoder;  // whatever class wrote the weights
    loaded.config.pooling = sentence.pooling;
    loaded.config.normalize = sentence.normalize;
  }
  loaded.tensors = load_tensors(weights.string());
  for (const fs::path& place : {inner, root})
    for (const char* name : kTokenizerFiles)
      if (fs::exists(place / name)) loaded.tokenizer[name] = read_file(place / name, kMostJsonBytes);
  return loaded;
}

void save_text_folder(const std::string& folder, const TextFolder& content) {
  DirectoryPublisher publisher(folder);
  publisher.add("config.json", text_config_json(content.config));
  publisher.add("model.safetensors", tensors_to_safetensors(content.tensors));
  for (const auto& [name, bytes] : content.tokenizer) publisher.add(name, bytes);
  if (content.config.head == TextHead::encoder) add_sentence_files(publisher, content.config);
  publisher.publish(/*manifest=*/false);
}

}  // namespace mgd
