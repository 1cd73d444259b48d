// A model folder: config.json (timm's form) + model.safetensors, loadable on its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/io/weights.h"

namespace mgd {

// Everything config.json says of an image classifier.
struct ModelFolderInfo {
  std::string architecture;
  std::int64_t num_classes = 0;
  std::vector<std::string> label_names;
  std::int64_t in_channels = 3, height = 0, width = 0;
  double width_multiplier = 1.0;
  std::vector<double> mean, std;
  std::string interpolation = "bilinear";
  double crop_pct = 1.0;
};

std::string model_config_json(const ModelFolderInfo& info);
ModelFolderInfo parse_model_config(std::string_view json,
                                   const std::string& source);  // Error(bad_data) names the key

// Published atomically; replaces a folder that stands there.
void save_model_folder(const std::string& folder, const ModelFolderInfo& info, const TensorMap& tensors);

// The config.json of a model folder, without its weights. Throws Error(missing_input | bad_data).
ModelFolderInfo load_model_config(const std::string& folder);

struct LoadedFolder {
  ModelFolderInfo info;
  TensorMap tensors;
};

// config.json with model.safetensors, or with its shards by model.safetensors.index.json. Throws
// Error(missing_input | bad_data | refused).
LoadedFolder load_model_folder(const std::string& folder);

}  // namespace mgd
