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
  // How pictures are scaled and cut (data/eval_transform.h); without these keys a folder means timm's
  // defaults, bicubic and 0.875.
  std::string interpolation = "bilinear";
  double crop_pct = 1.0;
  std::string crop_mode = "center";
  // test_input_size and test_crop_pct: another size that the model is said to do better with; 0: none.
  std::int64_t test_height = 0, test_width = 0;
  double test_crop_pct = 0;
  bool fixed_input_size = false;  // it takes no other size
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
