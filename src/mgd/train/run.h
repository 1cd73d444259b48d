// Everything one training run owns. make_run is the only place where names become objects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgd/data/batch_stream.h"
#include "mgd/data/image_source.h"
#include "mgd/eval/classify.h"
#include "mgd/eval/summary.h"
#include "mgd/format/config.h"
#include "mgd/io/model_folder.h"
#include "mgd/loss/loss.h"
#include "mgd/mask/mask_source.h"
#include "mgd/model/image_model.h"
#include "mgd/train/image_task.h"
#include "mgd/train/node_mask.h"
#include "mgd/train/teacher_cache.h"
#include "mgd/train/text_task.h"

namespace mgd {

struct ActiveLoss {
  std::unique_ptr<Loss> loss;
  std::optional<MaskSource> mask;  // what the loss asked for
};

struct Run {
  Config config;
  at::Device device = at::kCPU;

  std::unique_ptr<Task> task;
  // The task by its kind, one of the two: for what only pictures or only texts have.
  const ImageTask* image = nullptr;
  const TextTask* text = nullptr;
  std::unique_ptr<Model> student;
  std::unique_ptr<Model> teacher;               // null in `train`
  std::string teacher_fingerprint;              // SHA-256 of its tensors
  std::unique_ptr<TeacherCache> teacher_cache;  // null: the teacher runs in every step
  ModelSummary student_summary, teacher_summary;

  std::vector<ActiveLoss> losses;
  std::vector<std::unique_ptr<NodeMask>> node_masks;
  std::unique_ptr<BatchStream> loader;  // the training stream

  std::int64_t steps_per_epoch = 0;
  std::int64_t total_steps = 0;

  bool bf16() const { return config.train.precision == "bf16"; }
  // Student, loss blocks and learned mask fills: all that trains, each with a prefix that makes its name
  // unique.
  std::vector<NamedTensor> trainable() const;
};

// Throws Error(usage | missing_input | bad_data) with the place in the recipe for anything that does not fit.
std::unique_ptr<Run> make_run(const Config& config);

// A model by folder, or by architecture (and weights file), for `num_classes` classes and pictures of the
// given size; both are overridden by the folder's config.json. `role` names it in errors. With neither
// weights nor folder it is initialised from `seed`.
struct OpenedModel {
  std::unique_ptr<ImageModel> model;
  ModelFolderInfo info;
  std::string source;  // file or folder of the weights; "" when fresh
};
struct ModelDefaults {
  std::int64_t num_classes = 10, in_channels = 3, height = 32, width = 32;
  std::uint64_t seed = 1;
};
// The classes and channels weights were made for: the outer sizes of their last and first matrices; what they
// do not tell stays as in `fallback`.
struct WeightBorders {
  std::int64_t classes = 10, channels = 3;
};
WeightBorders borders_of(const TensorMap& tensors, WeightBorders fallback = {});

// ImageNet's for RGB, the habit of the field; 0.5 for anything else.
struct Normalisation {
  std::vector<double> mean, std;
};
Normalisation default_normalisation(std::int64_t channels);

OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, const std::string& role);
// The same for tensors that are read already, those of config.weights; without any, a fresh model.
OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, const TensorMap& tensors);

// SHA-256 over names, shapes and bytes of all tensors.
std::string fingerprint_of(const Module& module);

// The resolved table, a line each: models, taps with shapes, losses with weights, masks, steps, data.
std::vector<std::string> describe_run(const Run& run);

}  // namespace mgd
