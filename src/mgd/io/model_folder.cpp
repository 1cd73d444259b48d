#include "mgd/io/model_folder.h"

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/core/publish.h"
#include "mgd/format/json_field.h"
#include "mgd/format/safetensors.h"

namespace mgd {

std::string model_config_json(const ModelFolderInfo& info) {
  nlohmann::ordered_json config{{"architecture", info.architecture},
                                {"num_classes", info.num_classes},
                                {"label_names", info.label_names},
                                {"pretrained_cfg",
                                 {{"input_size", {info.in_channels, info.height, info.width}},
                                  {"mean", info.mean},
                                  {"std", info.std},
                                  {"interpolation", info.interpolation},
                                  {"crop_pct", info.crop_pct},
                                  {"num_classes", info.num_classes}}},
                                {"mgd", {{"width", info.width_multiplier}}}};
  return config.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

namespace {

using nlohmann::json;

constexpr std::uint64_t kMostConfigBytes = 100'000'000;
constexpr std::int64_t kMostClasses = 10'000'000, kMostPixels = 65'536;
constexpr double kMostLevel = 1e6;  // of a mean or a standard deviation; images lie in [0, 1] or [0, 255]

void require_count(const JsonField& field, std::size_t got, std::int64_t expected, const char* of) {
  if (got != 0 && static_cast<std::int64_t>(got) != expected)
    field.fail_as(fmt::format("{} entries for {} {}", got, expected, of));
}

void parse_pretrained(const json& config, const std::string& source, ModelFolderInfo& info) {
  const auto field = [&](const char* name) {
    return JsonField(config, source, std::string("pretrained_cfg.") + name);
  };
  const auto size = field("input_size").integers(1, kMostPixels);
  if (size.size() != 3)
    field("input_size").fail_as(fmt::format("needs three numbers (C, Y, X), got {}", size.size()));
  info.in_channels = size[0];
  info.height = size[1];
  info.width = size[2];
  if (field("mean").is_there()) info.mean = field("mean").numbers(-kMostLevel, kMostLevel);
  if (field("std").is_there()) info.std = field("std").numbers(0, kMostLevel);
  require_count(field("mean"), info.mean.size(), info.in_channels, "channels");
  require_count(field("std"), info.std.size(), info.in_channels, "channels");
  if (field("interpolation").is_there()) info.interpolation = field("interpolation").text();
  if (field("crop_pct").is_there()) info.crop_pct = field("crop_pct").number(0, 2);
}

}  // namespace

ModelFolderInfo parse_model_config(std::string_view text, const std::string& source) {
  const json config = parse_json_object(text, source);
  const auto field = [&](const char* name) { return JsonField(config, source, name); };
  ModelFolderInfo info;
  if (!field("architecture").is_there())
    field("architecture").fail_as("is missing; not the config of an image classifier?");
  info.architecture = field("architecture").text();
  const char* classes = field("num_classes").is_there() ? "num_classes" : "pretrained_cfg.num_classes";
  info.num_classes = field(classes).integer(0, kMostClasses);  // 0: timm's export without a classifier
  if (field("label_names").is_there()) info.label_names = field("label_names").texts();
  require_count(field("label_names"), info.label_names.size(), info.num_classes, "classes");
  parse_pretrained(config, source, info);
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
  if (!fs::is_directory(path)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
  const fs::path config = path / "config.json";
  const std::string text = read_file(config, kMostConfigBytes);
  refuse_stand_in(text, config.string());
  return parse_model_config(text, config.string());
}

LoadedFolder load_model_folder(const std::string& folder) {
  const fs::path path = folder;
  if (!fs::is_directory(path)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
  const fs::path weights = weights_of_folder(path);
  LoadedFolder loaded;
  loaded.info = load_model_config(folder);
  loaded.tensors = load_tensors(weights.string());
  return loaded;
}

}  // namespace mgd
