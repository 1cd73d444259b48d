#include "mgd/train/open_model.h"

#include <fmt/ranges.h>

#include <set>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/safetensors.h"

namespace mgd {

namespace {

OpenedModel fresh_model(ModelFolderInfo info) {
  OpenedModel opened;
  opened.model = make_model({.architecture = info.architecture,
                             .num_classes = info.num_classes,
                             .in_channels = info.in_channels,
                             .image_height = info.height,
                             .image_width = info.width,
                             .width = info.width_multiplier},
                            1);
  opened.info = std::move(info);
  return opened;
}

OpenedModel open_folder(const ModelConfig& config, const std::string& role) {
  LoadedFolder folder = load_model_folder(config.path);
  if (folder.info.num_classes < 1)
    fail(ExitCode::bad_data, "{}: {}: num_classes is {}", role, config.path, folder.info.num_classes);
  OpenedModel opened = fresh_model(std::move(folder.info));
  load_state(*opened.model, folder.tensors, config.path);
  opened.source = config.path;
  return opened;
}

}  // namespace

WeightBorders borders_of(const TensorMap& tensors, WeightBorders borders) {
  for (const char* name : {"linear.weight", "fc.weight", "classifier.1.weight"}) {
    const auto it = tensors.find(name);
    if (it == tensors.end() || it->second.dim() != 2) continue;
    borders.classes = it->second.size(0);
    break;
  }
  for (const char* name : {"conv1.weight", "features.0.0.weight"}) {
    const auto it = tensors.find(name);
    if (it == tensors.end() || it->second.dim() != 4) continue;
    borders.channels = it->second.size(1);
    break;
  }
  return borders;
}

Normalisation default_normalisation(std::int64_t channels) {
  if (channels == 3) return {.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
  const std::vector<double> half(static_cast<std::size_t>(channels), 0.5);
  return {.mean = half, .std = half};
}

OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, const std::string& role) {
  if (!config.path.empty()) return open_folder(config, role);
  if (config.model.empty())
    fail(ExitCode::usage, "{0}: no model given; write {0}: {{model: NAME}} or {0}: MODEL_FOLDER", role);

  return open_model(config, defaults, config.weights.empty() ? TensorMap{} : load_tensors(config.weights));
}

OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, const TensorMap& tensors) {
  const ModelSpec spec{.architecture = config.model,
                       .num_classes = borders_of(tensors, {.classes = defaults.num_classes}).classes,
                       .in_channels = defaults.in_channels,
                       .image_height = defaults.height,
                       .image_width = defaults.width,
                       .width = config.width};
  OpenedModel opened;
  opened.model = make_model(spec, defaults.seed);
  if (!config.weights.empty()) {
    load_state(*opened.model, tensors, config.weights);
    opened.source = config.weights;
  }
  opened.info = {.architecture = spec.architecture,
                 .num_classes = spec.num_classes,
                 .in_channels = spec.in_channels,
                 .height = spec.image_height,
                 .width = spec.image_width,
                 .width_multiplier = spec.width};
  return opened;
}

OpenedModel outline_model(const ModelConfig& config, const ModelDefaults& defaults) {
  if (!config.path.empty()) return fresh_model(load_model_config(config.path));
  ModelConfig without = config;
  without.weights.clear();
  return open_model(without, defaults, TensorMap{});
}

std::string hash_of_weights(const ModelConfig& config) {
  const fs::path file = config.path.empty() ? fs::path(config.weights) : weights_of_folder(config.path);
  std::string hashes = sha256_file(file);
  if (!config.path.empty()) hashes += sha256_file(fs::path(config.path) / "config.json");
  if (file.string().ends_with(".index.json")) {
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : parse_shard_index(read_file(file, 100'000'000), file.string()))
      shards.insert(shard);
    for (const std::string& shard : shards) hashes += sha256_file(file.parent_path() / shard);
  }
  return sha256_hex(hashes);
}

std::string fingerprint_of(const Module& module) {
  std::string all;
  for (const auto& entry : module.state()) {
    const at::Tensor bytes = entry.tensor.detach().to(at::kCPU).contiguous();
    all += fmt::format("{}:{}:", entry.name, fmt::join(bytes.sizes(), ","));
    all.append(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
  }
  return sha256_hex(all);
}

}  // namespace mgd
