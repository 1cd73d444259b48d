#include "mgd/train/run.h"

#include <ATen/Context.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/data/loader.h"

namespace mgd {

namespace {

at::Device open_device(const std::string& name) {
  const at::Device device(name);
  if (device.is_cuda() && !at::globalContext().hasCUDA())
    fail(ExitCode::environment, "run.device: {}: this LibTorch was built without CUDA; use run.device=cpu",
         name);
  return device;
}

std::vector<double> or_else(const std::vector<double>& first, const std::vector<double>& second) {
  return first.empty() ? second : first;
}

// The recipe's normalisation, else the teacher's own (it was trained with it), else ImageNet's, the field's
// habit.
void resolve_normalisation(const DataConfig& data, const ModelFolderInfo& teacher,
                           const ModelFolderInfo& given_student, std::int64_t channels,
                           ModelFolderInfo& student) {
  const Normalisation usual = default_normalisation(channels);
  student.mean = or_else(data.mean, or_else(teacher.mean, or_else(given_student.mean, usual.mean)));
  student.std = or_else(data.std, or_else(teacher.std, or_else(given_student.std, usual.std)));
  for (const auto* values : {&student.mean, &student.std})
    if (static_cast<std::int64_t>(values->size()) != channels)
      fail(ExitCode::usage, "data: mean and std need one value a channel: got {}, the images have {}",
           values->size(), channels);
}

void check_classes(const Run& run) {
  const auto classes = static_cast<std::int64_t>(run.train_source->class_names().size());
  const auto check = [&](const ImageModel& model, const char* role) {
    if (model.spec().num_classes != classes)
      fail(ExitCode::usage, "{}: {} has {} classes, the data in {} has {} ({})", role,
           model.spec().architecture, model.spec().num_classes, run.config.data.path, classes,
           fmt::join(run.train_source->class_names().begin(),
                     run.train_source->class_names().begin() + std::min<std::int64_t>(classes, 5), ", "));
  };
  check(*run.student, "student");
  if (run.teacher) check(*run.teacher, "teacher");
}

void open_data(Run& run) {
  const DataConfig& data = run.config.data;
  if (run.config.reads_text())
    fail(ExitCode::usage,
         "task: got {} on texts, which this version cannot train; classify of pictures works",
         run.config.task);
  if (data.path.empty())
    fail(ExitCode::usage, "data.path: no data given; write data: {{path: FOLDER_OR_ARCHIVE}}");
  OpenedSplits splits = open_splits(data);
  run.train_source = std::move(splits.train);
  run.validation_source = std::move(splits.validation);
  run.test_source = std::move(splits.test);
  if (run.train_source->size() == 0) fail(ExitCode::bad_data, "data.path: {}: no training images", data.path);
}

// The first picture that can be read: a corrupt one is no reason to stop, the loader skips it.
Image first_picture(const ImageSource& source) {
  for (std::int64_t i = 0; i + 1 < std::min<std::int64_t>(source.size(), 100); ++i) {
    try {
      return source.image(i);
    } catch (const Error&) {
    }
  }
  return source.image(source.size() - 1);
}

void open_models(Run& run) {
  const Config& config = run.config;
  const Image first = first_picture(*run.train_source);
  const std::int64_t side = config.data.image_size;
  const ModelDefaults defaults{
      .num_classes = static_cast<std::int64_t>(run.train_source->class_names().size()),
      .in_channels = run.train_source->channels(),
      .height = side > 0 ? side : first.height,
      .width = side > 0 ? side : first.width,
      .seed = static_cast<std::uint64_t>(config.run.seed)};
  ModelFolderInfo teacher_info;
  const bool has_teacher = !config.teacher.model.empty() || !config.teacher.path.empty();
  if (has_teacher) {
    if (config.teacher.path.empty() && config.teacher.weights.empty())
      fail(ExitCode::usage,
           "teacher: {} has no weights; write teacher: {{model: {}, weights: FILE.safetensors}}",
           config.teacher.model, config.teacher.model);
    OpenedModel teacher = open_model(config.teacher, defaults, "teacher");
    run.teacher = std::move(teacher.model);
    run.teacher->set_requires_grad(false);
    run.teacher->to(run.device);
    if (config.train.channels_last) run.teacher->to_channels_last();
    run.teacher_fingerprint = fingerprint_of(*run.teacher);
    teacher_info = std::move(teacher.info);
    run.teacher_summary = summarize(*run.teacher);
  }
  OpenedModel student = open_model(config.student, defaults, "student");
  run.student = std::move(student.model);
  run.student->to(run.device);
  if (config.train.channels_last) run.student->to_channels_last();
  run.student_info = student.info;
  run.student_info.height = defaults.height;
  run.student_info.width = defaults.width;
  run.student_info.label_names = run.train_source->class_names();
  resolve_normalisation(config.data, teacher_info, student.info, defaults.in_channels, run.student_info);
  run.student_summary = summarize(*run.student);
}

void open_losses(Run& run) {
  const auto seed = static_cast<std::uint64_t>(run.config.run.seed);
  LossContext context{.student = run.student_summary.tap_shapes(),
                      .teacher = run.teacher ? run.teacher_summary.tap_shapes() : TapShapes{},
                      .student_default_tap = run.student->default_tap(),
                      .teacher_default_tap = run.teacher ? run.teacher->default_tap() : "",
                      .num_classes = run.student->spec().num_classes,
                      .seed = seed};
  for (const Node& entry : run.config.losses) {
    for (auto& loss : make_losses(entry, context)) {
      for (const auto& other : run.losses)
        if (other.loss->label() == loss->label())
          fail(ExitCode::usage, "{}: losses: '{}' is there twice; merge them or name different taps",
               entry.origin.text(), loss->label());
      ActiveLoss active{.loss = std::move(loss), .mask = {}, .sampler = nullptr};
      if (const auto* request = active.loss->mask_request()) {
        read_options(request->options, active.mask, "losses." + active.loss->label());
        active.sampler = make_sampler(active.mask);
        active.mask_key = random_key(seed, "mask/" + active.loss->label());
      }
      if (Module* blocks = active.loss->trainable()) {
        blocks->to(run.device);
        if (run.config.train.channels_last) blocks->to_channels_last();
      }
      run.losses.push_back(std::move(active));
    }
  }
  run.node_masks = make_node_masks(run.config.masks, run.student_summary.tap_shapes(), seed);
  for (auto& mask : run.node_masks) mask->to(run.device);
}

void open_loader(Run& run) {
  const Config& config = run.config;
  LoaderOptions options{.batch_size = config.train.batch_size,
                        .micro_batch_size = config.train.micro_batch_size,
                        .shuffle = true,
                        .drop_last = true,
                        .seed = static_cast<std::uint64_t>(config.run.seed),
                        .threads = config.data.loader_threads,
                        .mean = run.student_info.mean,
                        .std = run.student_info.std,
                        .height = run.student_info.height,
                        .width = run.student_info.width,
                        .channels_last = config.train.channels_last,
                        .cache_mb = config.data.cache_mb,
                        .views = config.data.views};
  if (options.batch_size > run.train_source->size())
    fail(ExitCode::usage, "train.batch_size: got {}, but there are only {} training images",
         options.batch_size, run.train_source->size());
  run.loader = std::make_unique<Loader>(*run.train_source, make_augmentations(config.data.augment), options);
  run.steps_per_epoch = run.loader->steps_per_epoch();
  run.total_steps = run.steps_per_epoch * config.train.epochs;
  if (config.train.max_steps > 0) run.total_steps = std::min(run.total_steps, config.train.max_steps);
}

void open_teacher_cache(Run& run) {
  const Config& config = run.config;
  if (config.train.teacher_cache.empty() || !run.teacher) return;
  if (run.num_views() == 0)
    fail(ExitCode::usage,
         "train.teacher_cache: the augmentation makes new images in every epoch, so nothing would come "
         "twice; set data.views to the "
         "number of variants of each image, e.g. data.views=8");
  if (config.train.teacher_norm == "batch")
    fail(ExitCode::usage,
         "train.teacher_cache: with teacher_norm: batch the teacher changes from step to step; nothing can "
         "be kept");
  TeacherCacheOptions options{.folder = config.train.teacher_cache,
                              .num_samples = run.train_source->size(),
                              .num_views = run.num_views(),
                              .tensors = {{"logits", {run.teacher->spec().num_classes}}}};
  const TapShapes shapes = run.teacher_summary.tap_shapes();
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->teacher_taps()) options.tensors[tap] = shapes.at(tap);
  std::string augment;
  for (const Node& entry : config.data.augment) augment += to_yaml(entry);
  options.identity =
      fmt::format("teacher {}\ndata {}\naugment {}\nmean {} std {}\nsize {} x {}\nviews {}\nprecision {}",
                  run.teacher_fingerprint, run.train_source->fingerprint(), augment,
                  fmt::join(run.student_info.mean, " "), fmt::join(run.student_info.std, " "),
                  run.student_info.height, run.student_info.width, run.num_views(), config.train.precision);
  run.teacher_cache = std::make_unique<TeacherCache>(options);
}

}  // namespace

EvalOptions Run::eval_options() const {
  return {.loader_threads = config.data.loader_threads,
          .mean = student_info.mean,
          .std = student_info.std,
          .height = student_info.height,
          .width = student_info.width,
          .precision = config.train.precision,
          .device = device};
}

std::vector<NamedTensor> Run::trainable() const {
  std::vector<NamedTensor> all;
  const auto append = [&](const Module& module, const std::string& prefix) {
    for (NamedTensor entry : module.parameters()) {
      entry.name = prefix + entry.name;
      all.push_back(std::move(entry));
    }
  };
  append(*student, "student/");
  for (const auto& active : losses)
    if (Module* blocks = active.loss->trainable()) append(*blocks, "loss/" + active.loss->label() + "/");
  for (const auto& mask : node_masks) append(*mask, "mask/" + mask->label() + "/");
  return all;
}

std::unique_ptr<Run> make_run(const Config& config) {
  auto run = std::make_unique<Run>();
  run->config = config;
  run->device = open_device(config.run.device);
  if (!config.run.baseline.empty()) require_regular_file(fs::path(config.run.baseline) / "summary.json");
  open_data(*run);
  open_models(*run);
  check_classes(*run);
  open_losses(*run);
  open_loader(*run);
  open_teacher_cache(*run);
  return run;
}

}  // namespace mgd
