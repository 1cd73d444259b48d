// Everything one training run owns. make_run is the only place where names become objects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgd/data/batch_stream.h"
#include "mgd/format/config.h"
#include "mgd/loss/loss.h"
#include "mgd/mask/mask_source.h"
#include "mgd/task/host.h"
#include "mgd/task/task.h"
#include "mgd/teach/cached_teacher.h"
#include "mgd/train/node_mask.h"
#include "mgd/train/trained_parts.h"

namespace mgd {

struct ActiveLoss {
  std::unique_ptr<Loss> loss;
  std::optional<MaskSource> mask;  // what the loss asked for
  std::size_t teacher = 0;         // place in Run::teachers of the one that it listens to, or kAllTeachers
};
inline constexpr std::size_t kAllTeachers = static_cast<std::size_t>(-1);  // the average of their logits

// A teacher of a run: its model and who stands around it.
struct RunTeacher {
  std::string name;
  double weight = 1;  // of its logits in the average
  TeacherFacts facts;
  std::int64_t slice = 1;               // samples of one pass of it
  LiveTeacher* live = nullptr;          // owned by `front`
  std::unique_ptr<TeacherCache> cache;  // null: the teacher runs in every step
  std::int64_t cache_faults_told = 0;
  CachedTeacher* cached = nullptr;  // owned by `front`; null without a cache
  std::unique_ptr<Teacher> front;   // whom the steps ask
};

struct Run {
  Config config;
  Host host;                                                 // empty in the command
  std::shared_ptr<Group> group = std::make_shared<Group>();  // never null
  at::Device device = at::kCPU;

  std::unique_ptr<Task> task;
  std::unique_ptr<Model> student;
  bool student_given = false;  // its weights come from a file: they were trained before
  ModelSummary student_summary;
  TrainedParts parts;                                 // what of it trains
  std::vector<std::unique_ptr<RunTeacher>> teachers;  // none in `train`

  std::vector<ActiveLoss> losses;
  std::vector<std::unique_ptr<NodeMask>> node_masks;
  // Of a student whose head trains alone; null: the whole student runs in every step, `no_short_cut` says
  // why.
  std::unique_ptr<ShortCut> short_cut;
  std::string no_short_cut;
  std::unique_ptr<BatchStream> loader;  // the training stream

  std::int64_t steps_per_epoch = 0;
  std::int64_t total_steps = 0;

  // The one that reports compare with; null in `train`.
  const RunTeacher* teacher() const { return teachers.empty() ? nullptr : teachers.front().get(); }
  RunTeacher* teacher() { return teachers.empty() ? nullptr : teachers.front().get(); }
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
// The same for a task of the caller's own; config.task is not looked at.
std::unique_ptr<Run> make_run(const Config& config, std::unique_ptr<Task> task, const Host& host = {});

// The resolved table, a line each: models, taps with shapes, losses with weights, masks, steps, data.
std::vector<std::string> describe_run(const Run& run);

}  // namespace mgd
