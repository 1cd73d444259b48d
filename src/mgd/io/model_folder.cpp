#include "mgd/io/model_folder.h"

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/core/publish.h"
#include "mgd/format/json_field.h"
#include "mgd/format/safetensors.h"
#include "mgd/io/pretrained_cfg.h"

namespace mgd {

std::string model_config_json(const ModelFolderInfo& info) {
  nlohmann::ordered_json config{{"architecture", info.architecture},
                                {"num_classes", info.num_classes},
                                {"label_names", info.label_names},
                                {"pretrained_cfg", pretrained_cfg_json(info)},
                                {"mgd", {{"width", info.width_multiplier}}}};
  return config.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

namespace {

using nlohmann::json;

constexpr std::uint64_t kMostConfigBytes = 100'000'000;
constexpr std::int64_t kMostClasses = 10'000'000;

void require_count(const JsonField& field, std::size_t got, std::int64_t expected, const char* of) {
  if (got != 0 && static_cast<std::int64_t>(got) != expected)
    field.fail_as(fmt::format("{} entries for {} {}", got, expected, of));
}

}  // namespace

ModelFolderInfo parse_model_config(std::string_view text, const std::string& source) {
  const json config = parse_json_object(text, source);
  const auto field = [&](const char* name) { return JsonField(config, source, name); };
  ModelFolderInfo info;
  if (!field("architecture").is_there() && field("model_type").is_there())
    fail(ExitCode::usage,
         "{}: a Transformer of texts ({}) where pictures are asked for; if the data are texts, a recipe says "
         "so with "
         "text.columns, e.g. text: {{columns: [text]}}",
         source, field("model_type").text());
  if (!field("architecture").is_there())
    field("architecture").fail_as("is missing; not the config of an image classifier?");
  info.architecture = field("architecture").text();
  const char* classes = field("num_classes").is_there() ? "num_classes" : "pretrained_cfg.num_classes";
  info.num_classes = field(classes).integer(0, kMostClasses);  // 0: timm's export without a classifier
  for (const char* name : {"labels", "label_names"})           // the first is timm's older name
    if (field(name).is_there()) info.label_names = field(name).texts();
  require_count(field("label_names"), info.label_names.size(), info.num_classes, "classes");
  parse_pretrained_cfg(config, source, info);
  if (field("mgd.width").is_there()) info.width_multiplier = field("mgd.width").number(0, 1000);
  return info;
}

void save_model_folder(const std::string& folder, const ModelFolderInfo& info, const TensorMap& tensors) {
  DirectoryPublisher publisher(folder);
  publisher.add("config.json", model_config_json(info));
  publisher.add("model.safetensors", tensors_to_safetensors(tensors));
  publisher.publish(/*manifest=*/false);
}

ModelFolderInfo load_model_config(const std::string& folder) {
  const fs::path path = folder;
  require_model_folder(path);
  const fs::path config = path / "config.json";
  const std::string text = read_file(config, kMostConfigBytes);
  refuse_stand_in(text, config.string());
  return parse_model_config(text, config.string());
}

LoadedFolder load_model_folder(const std::string& folder) {
  const fs::path weights = weights_of_folder(folder);
  LoadedFolder loaded;
  loaded.info = load_model_config(folder);
  loaded.tensors = load_tensors(weights.string());
  return loaded;
}

}  // namespace mgd
