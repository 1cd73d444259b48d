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
#include "mgd/loss/loss.h"
#include "mgd/mask/mask_source.h"
#include "mgd/model/image_model.h"
#include "mgd/train/head_features.h"
#include "mgd/train/host.h"
#include "mgd/train/image_task.h"
#include "mgd/train/node_mask.h"
#include "mgd/train/open_model.h"
#include "mgd/train/teacher_cache.h"
#include "mgd/train/text_task.h"
#include "mgd/train/trained_parts.h"

namespace mgd {

struct ActiveLoss {
  std::unique_ptr<Loss> loss;
  std::optional<MaskSource> mask;  // what the loss asked for
};

struct Run {
  Config config;
  Host host;  // empty in the command
  at::Device device = at::kCPU;

  std::unique_ptr<Task> task;
  // The task by its kind, one of the two: for what only pictures or only texts have.
  const ImageTask* image = nullptr;
  const TextTask* text = nullptr;
  std::unique_ptr<Model> student;
  bool student_given = false;  // its weights come from a file: they were trained before
  TrainedParts parts;          // what of it trains
  // Null in `train`, and where the cache holds all that it could say: whoever needs it calls load_teacher.
  std::unique_ptr<Model> teacher;
  std::unique_ptr<BatchStream> teacher_stream;  // makes pictures of its size; when they are first asked for
  std::string teacher_hash;                     // of its files
  std::string teacher_default_tap;
  std::vector<AttentionNodes> teacher_attention;  // a layer each
  std::unique_ptr<TeacherCache> teacher_cache;    // null: the teacher runs in every step
  ModelSummary student_summary, teacher_summary;
  bool has_teacher() const { return !teacher_summary.architecture.empty(); }
  // Why the teacher's logits are of no use here, as a sentence; "" = they are those of the data's classes.
  std::string no_teacher_logits;
  std::int64_t teacher_classes = 0;  // outputs of the teacher

  std::vector<ActiveLoss> losses;
  std::vector<std::unique_ptr<NodeMask>> node_masks;
  // Of a student whose head trains alone; null: the whole student runs in every step, `no_head_features` says
  // why.
  std::unique_ptr<HeadFeatures> head_features;
  std::string no_head_features;
  std::unique_ptr<BatchStream> loader;  // the training stream

  std::int64_t steps_per_epoch = 0;
  std::int64_t total_steps = 0;

  bool bf16() const { return config.train.precision == "bf16"; }
  // Parameters of student, loss blocks and learned mask fills, each with a prefix that makes its name unique.
  std::vector<NamedTensor> parameters() const;
  std::vector<NamedTensor> trainable() const;  // those that are not frozen
  // What travels with them under the same names: statistics of batch norms, and what losses found out.
  std::vector<NamedTensor> buffers() const;
};

// Throws Error(usage | missing_input | bad_data) with the place in the recipe for anything that does not fit.
// host: what the calling program adds, under names that the recipe may use like any others.
std::unique_ptr<Run> make_run(const Config& config, const Host& host = {});

// The teacher with its weights, unless it is there already.
void load_teacher(Run& run);

// The resolved table, a line each: models, taps with shapes, losses with weights, masks, steps, data.
std::vector<std::string> describe_run(const Run& run);

}  // namespace mgd
