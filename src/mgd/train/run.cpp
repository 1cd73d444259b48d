#include "mgd/train/run.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/nn/device.h"
#include "mgd/train/teacher_note.h"

namespace mgd {

namespace {

void open_task(Run& run) {
  if (run.config.reads_text()) {
    if (run.host.pictures.train)
      fail(ExitCode::usage, "task: {} reads texts, and the program brings pictures", run.config.task);
    auto task = std::make_unique<TextTask>(run.config, run.device);
    task->open_models(run);
    run.text = task.get();
    run.task = std::move(task);
    return;
  }
  auto task = std::make_unique<ImageTask>(run.config, run.device, run.host);
  task->open_models(run);
  run.image = task.get();
  run.task = std::move(task);
}

void settle_teacher(Run& run) {
  run.teacher->set_requires_grad(false);
  run.teacher->to(run.device);
  if (run.image != nullptr && run.config.train.channels_last) run.teacher->to_channels_last();
}

void settle_models(Run& run) {
  if (run.has_teacher()) run.teacher_hash = hash_of_weights(run.config.teacher);
  if (run.teacher) settle_teacher(run);
  run.student->to(run.device);
  if (run.image != nullptr && run.config.train.channels_last) run.student->to_channels_last();
}

// What trains, and the rate that suits it where the recipe gives none.
void settle_training(Run& run) {
  run.parts = choose_trained_parts(*run.student, run.config);
  TrainConfig& train = run.config.train;
  if (train.lr == 0)
    train.lr = default_learning_rate(train.optimizer, run.student_given && !run.parts.head_alone);
}

void refuse_missing_logits(const Run& run, const Node& entry, const Loss& loss) {
  if (loss.reads_teacher_logits() && !run.no_teacher_logits.empty())
    fail(ExitCode::usage,
         "{}: losses.{}: it compares logits, and {}; losses on features (mgd, mimic, at) serve",
         entry.origin.text(), loss.label(), run.no_teacher_logits);
}

// 0: it gives none.
std::int64_t embedding_size(const NodeInfos& nodes) {
  const auto found = nodes.find(kEmbeddingNode);
  return found == nodes.end() ? 0 : found->second.sizes.at(0);
}

// Losses between vectors count samples, and a sample of texts may be two sequences with a vector each.
void refuse_vectors_of_texts(const Run& run, const Node& entry, const Loss& loss, const NodeInfos& student) {
  if (run.text == nullptr) return;
  for (const std::string& tap : loss.student_taps())
    if (const auto found = student.find(tap); found != student.end() && found->second.axes == Axes::vector)
      fail(ExitCode::usage, "{}: losses.{}: it compares features of pictures, and '{}' is a vector of a text",
           entry.origin.text(), loss.label(), tap);
}

void open_losses(Run& run) {
  const auto seed = static_cast<std::uint64_t>(run.config.run.seed);
  const NodeInfos student = run.student_summary.node_infos();
  const NodeInfos teacher = run.has_teacher() ? run.teacher_summary.node_infos() : NodeInfos{};
  LossContext context{.student = student,
                      .teacher = teacher,
                      .student_default_tap = run.student->default_tap(),
                      .teacher_default_tap = run.teacher_default_tap,
                      .student_attention = run.student->attention_nodes(),
                      .teacher_attention = run.teacher_attention,
                      .num_classes = run.task->num_classes(),
                      .answers = run.student->answer_kind(),
                      .embedding_size = embedding_size(student),
                      .teacher_embedding_size = embedding_size(teacher),
                      .seed = seed,
                      .winograd = run.config.train.winograd,
                      .skip_hidden = run.config.train.skip_hidden,
                      .own = run.host.losses};
  for (const Node& entry : run.config.losses) {
    for (auto& loss : make_losses(entry, context)) {
      refuse_missing_logits(run, entry, *loss);
      refuse_vectors_of_texts(run, entry, *loss, student);
      if (loss->reads_targets()) run.task->require_targets();
      if (run.text != nullptr) loss->check_scores(run.text->scores().least, run.text->scores().largest);
      for (const auto& other : run.losses)
        if (other.loss->label() == loss->label())
          fail(ExitCode::usage, "{}: losses: '{}' is there twice; merge them or name different taps",
               entry.origin.text(), loss->label());
      ActiveLoss active{.loss = std::move(loss), .mask = std::nullopt};
      if (const auto* request = active.loss->mask_request()) {
        MaskOptions options;
        read_options(request->options, options, "losses." + active.loss->label());
        active.mask.emplace(options, seed, active.loss->label());
      }
      if (Module* blocks = active.loss->trainable()) {
        blocks->to(run.device);
        if (run.config.train.channels_last) blocks->to_channels_last();
      }
      run.losses.push_back(std::move(active));
    }
  }
  run.node_masks = make_node_masks(run.config.masks, run.student_summary.node_infos(), seed);
  for (auto& mask : run.node_masks) mask->to(run.device);
}

void open_stream(Run& run) {
  const TrainConfig& train = run.config.train;
  run.loader = run.task->training_stream();
  run.steps_per_epoch = run.loader->steps_per_epoch();
  run.total_steps = run.steps_per_epoch * train.epochs;
  if (train.max_steps > 0) run.total_steps = std::min(run.total_steps, train.max_steps);
}

void refuse_cache_where_nothing_comes_twice(const Run& run) {
  if (run.text != nullptr)
    fail(ExitCode::usage,
         "train.teacher_cache: the teacher's outputs are kept of pictures only, not of texts");
  if (run.task->num_views() == 0)
    fail(ExitCode::usage,
         "train.teacher_cache: the augmentation makes new images in every epoch, so nothing would come "
         "twice; set data.views to the "
         "number of variants of each image, e.g. data.views=8");
  if (run.config.train.teacher_norm == "batch")
    fail(ExitCode::usage,
         "train.teacher_cache: with teacher_norm: batch the teacher changes from step to step; nothing can "
         "be kept");
}

void open_teacher_cache(Run& run) {
  const TrainConfig& train = run.config.train;
  if (train.teacher_cache.path.empty() || !run.has_teacher()) return;
  refuse_cache_where_nothing_comes_twice(run);
  TeacherCacheOptions options{.config = train.teacher_cache,
                              .facts = run.task->identity(),
                              .num_samples = run.task->num_samples(),
                              .num_views = run.task->num_views(),
                              .num_classes = run.teacher_classes,
                              .taps = {}};
  const NodeInfos nodes = run.teacher_summary.node_infos();
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->teacher_taps()) options.taps[tap] = nodes.at(tap);
  // The same data, seen the same way, through the same teacher; by whatever student.
  options.facts.erase("student");
  options.facts["teacher"] = run.teacher_summary.architecture + ", weights " + run.teacher_hash;
  options.facts["precision"] = train.precision + (train.winograd ? ", Winograd" : "");
  run.teacher_cache = std::make_unique<TeacherCache>(std::move(options));
  if (!run.teacher_cache->complete() || !noted_preflight(run)) load_teacher(run);
}

}  // namespace

namespace {

// Of the student, the blocks of losses and the masks, each with its prefix.
template <class Part>
std::vector<NamedTensor> of_all(const Run& run, const Part& part) {
  std::vector<NamedTensor> all;
  const auto append = [&](const Module& module, const std::string& prefix) {
    for (NamedTensor entry : part(module)) {
      entry.name = prefix + entry.name;
      all.push_back(std::move(entry));
    }
  };
  append(*run.student, "student/");
  for (const auto& active : run.losses)
    if (Module* blocks = active.loss->trainable()) append(*blocks, "loss/" + active.loss->label() + "/");
  for (const auto& mask : run.node_masks) append(*mask, "mask/" + mask->label() + "/");
  return all;
}

}  // namespace

std::vector<NamedTensor> Run::parameters() const {
  return of_all(*this, [](const Module& module) { return module.parameters(); });
}

std::vector<NamedTensor> Run::buffers() const {
  return of_all(*this, [](const Module& module) { return module.buffers(); });
}

std::vector<NamedTensor> Run::trainable() const {
  std::vector<NamedTensor> all = parameters();
  std::erase_if(all, [](const NamedTensor& entry) { return !entry.tensor.requires_grad(); });
  return all;
}

void load_teacher(Run& run) {
  if (run.teacher) return;
  MGD_ASSERT(run.image != nullptr && run.has_teacher());
  run.teacher = run.image->open_teacher();
  settle_teacher(run);
}

std::unique_ptr<Run> make_run(const Config& config, const Host& host) {
  check_own(host.models);
  check_own(host.losses);
  auto run = std::make_unique<Run>();
  run->config = config;
  run->host = host;
  run->device = open_device(config.run.device, "run.device");
  if (!config.run.baseline.empty()) require_regular_file(fs::path(config.run.baseline) / "summary.json");
  open_task(*run);
  settle_models(*run);
  settle_training(*run);
  open_losses(*run);
  run->head_features = HeadFeatures::open(*run, run->no_head_features);
  open_stream(*run);
  open_teacher_cache(*run);
  return run;
}

}  // namespace mgd
