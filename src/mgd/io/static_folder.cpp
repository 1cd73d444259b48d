#include "mgd/io/static_folder.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/json_field.h"
#include "mgd/format/safetensors.h"
#include "mgd/format/static_config.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMostStaticBytes = 100'000'000;
constexpr const char *kTable = "embeddings", *kTableOfModules = "embedding.weight", *kWeights = "weights",
                     *kMapping = "mapping";

json json_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return nullptr;
  return json::parse(read_file(path, kMostStaticBytes), nullptr, /*allow_exceptions=*/false);
}

// "StaticEmbedding" of "sentence_transformers.models.StaticEmbedding".
std::string class_of(const json& module) {
  if (!module.is_object() || !module.contains("type") || !module["type"].is_string()) return "";
  const std::string type = module["type"];
  return type.substr(type.rfind('.') + 1);
}

bool names_static_model(const fs::path& folder) {
  const json config = json_file(folder / "config.json");
  return config.is_object() && config.contains("model_type") && config["model_type"] == kStaticModel;
}

bool has_static_module(const json& modules) {
  return modules.is_array() && !modules.empty() && class_of(modules[0]) == "StaticEmbedding";
}

// What comes after the table: whether a norm.
bool normalizes(const json& modules, const fs::path& path) {
  bool normalize = false;
  for (std::size_t i = 1; i < modules.size(); ++i) {
    if (class_of(modules[i]) != "Normalize")
      fail(ExitCode::bad_data, "{}: module '{}' behind a StaticEmbedding is not supported; known: Normalize",
           path.string(), printable(class_of(modules[i])));
    normalize = true;
  }
  return normalize;
}

std::string shape_of(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t size : tensor.sizes()) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return fmt::format("({}) of {}", text, c10::toString(tensor.scalar_type()));
}

bool is_number(at::ScalarType type) {
  return at::isFloatingType(type) || type == at::kChar;
}

// The tensors in the types of the model (model/static_table.h), and the sizes that follow from them.
void settle_tensors(TensorMap& tensors, const std::string& source, TextConfig& config) {
  if (const auto other = tensors.find(kTableOfModules); other != tensors.end() && !tensors.contains(kTable)) {
    tensors[kTable] = other->second;
    tensors.erase(other);
  }
  for (const auto& [name, tensor] : tensors)
    if (name != kTable && name != kWeights && name != kMapping)
      fail(ExitCode::bad_data, "{}: '{}' is no tensor of a static model; known: {}, {}, {}", source,
           printable(name), kTable, kWeights, kMapping);
  const auto refuse_tensor = [&](const char* name, const std::string& expected) {
    fail(ExitCode::bad_data, "{}: '{}': got {}, expected {}", source, name,
         tensors.contains(name) ? shape_of(tensors.at(name)) : "none", expected);
  };
  if (!tensors.contains(kTable) || tensors.at(kTable).dim() != 2 || tensors.at(kTable).numel() == 0 ||
      !is_number(tensors.at(kTable).scalar_type()))
    refuse_tensor(kTable, "(rows, width) of floating-point numbers or int8");
  at::Tensor& table = tensors.at(kTable);
  table = table.to(at::kFloat);
  config.table.rows = config.vocab_size = table.size(0);
  config.hidden_size = table.size(1);
  config.table.mapped = tensors.contains(kMapping);
  config.table.weighted = tensors.contains(kWeights);
  if (config.table.mapped) {
    at::Tensor& mapping = tensors.at(kMapping);
    if (mapping.dim() != 1 || mapping.numel() == 0 || !at::isIntegralType(mapping.scalar_type(), false))
      refuse_tensor(kMapping, "(tokens) of integers");
    mapping = mapping.to(at::kLong);
    config.vocab_size = mapping.size(0);
    const auto least = mapping.min().item<std::int64_t>(), most = mapping.max().item<std::int64_t>();
    if (least < 0 || most >= config.table.rows)
      fail(ExitCode::bad_data, "{}: '{}': got rows from {} to {}, expected 0 to {}", source, kMapping, least,
           most, config.table.rows - 1);
  }
  if (!config.table.weighted) return;
  at::Tensor& weights = tensors.at(kWeights);
  if (weights.dim() != 1 || weights.size(0) != config.vocab_size || !is_number(weights.scalar_type()))
    refuse_tensor(kWeights, fmt::format("({}) of floating-point numbers", config.vocab_size));
  weights = weights.to(at::kFloat);
}

}  // namespace

bool is_static_folder(const std::string& folder) {
  const fs::path root = folder;
  return names_static_model(root) || has_static_module(json_file(root / "modules.json"));
}

TextFolder load_static_folder(const std::string& folder) {
  const fs::path root = folder;
  // The package writes its config.json into the folder itself, and the other library none.
  const bool of_package = fs::exists(root / "config.json");
  const fs::path inner = of_package ? root : transformer_folder(root);
  TextFolder loaded;
  if (of_package) {
    const fs::path config = root / "config.json";
    loaded.config = parse_static_config(read_file(config, kMostStaticBytes), config.string());
  } else {
    const fs::path modules = root / "modules.json";
    loaded.config = static_config_of_modules(normalizes(json_file(modules), modules));
  }
  const fs::path weights = inner / "model.safetensors";
  if (!fs::exists(weights))
    fail(ExitCode::missing_input, "{}: there is none; a static model has its table in it", weights.string());
  loaded.tensors = load_tensors(weights.string());
  settle_tensors(loaded.tensors, weights.string(), loaded.config);
  for (const char* name : kTokenizerFiles)
    if (fs::exists(inner / name)) loaded.tokenizer[name] = read_file(inner / name, kMostStaticBytes);
  return loaded;
}

void add_static_files(DirectoryPublisher& publisher, const TextConfig& config) {
  nlohmann::ordered_json modules = nlohmann::ordered_json::array();
  const auto module = [&](const char* type, const char* path) {
    const std::size_t i = modules.size();
    modules.push_back({{"idx", i},
                       {"name", std::to_string(i)},
                       {"path", path},
                       {"type", std::string("sentence_transformers.models.") + type}});
  };
  module("StaticEmbedding", ".");
  if (config.normalize) module("Normalize", "1_Normalize");
  publisher.add("config.json", static_config_json(config));
  publisher.add("modules.json", modules.dump(2) + "\n");
}

}  // namespace mgd
