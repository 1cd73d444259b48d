// Image models as a recipe names them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/io/model_folder.h"
#include "mgd/model/own_model.h"
#include "mgd/task/fit_classes.h"

namespace mgd {

// A model by folder, or by architecture (and weights file), for `num_classes` classes and pictures of the
// given size; both are overridden by the folder's config.json. `role` names it in errors. With neither
// weights nor folder it is initialised from `seed`. A weights file without architecture is identified
// (task/identify.h).
struct OpenedModel {
  std::unique_ptr<ImageModel> model;
  ModelFolderInfo info;
  std::string source;              // file or folder of the weights; "" when fresh
  std::string no_logits;           // FittedClasses::no_logits
  bool named = false;              // FittedClasses::named
  std::vector<std::string> notes;  // for the console
};
struct ModelDefaults {
  std::int64_t num_classes = 10, in_channels = 3, height = 32, width = 32;
  std::uint64_t seed = 1;
  WantedClasses classes = {};
  std::span<const OwnModel> own = {};  // networks of the program, beside those of the library
};
// ImageNet's for RGB, the habit of the field; 0.5 for anything else.
struct Normalisation {
  std::vector<double> mean, std;
};
Normalisation default_normalisation(std::int64_t channels);

OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, const std::string& role);
// The same for tensors that are read already, those of config.weights; without any, a fresh model.
OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, TensorMap tensors,
                       const std::string& role);

// The tensors of an image model's file under the names of the network itself; `notes` get what was taken off.
TensorMap load_image_tensors(const std::string& file, std::vector<std::string>& notes);

// The same with fresh weights: its layers and sizes, for which those of a folder need not be read.
OpenedModel outline_model(const ModelConfig& config, const ModelDefaults& defaults, const std::string& role);

// SHA-256 over the files that hold the weights of a model, and its config.json. They are read piece by piece.
std::string hash_of_weights(const ModelConfig& config);

// SHA-256 over names, shapes and bytes of all tensors.
std::string fingerprint_of(const Module& module);

}  // namespace mgd
