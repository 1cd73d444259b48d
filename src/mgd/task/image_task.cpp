#include "mgd/task/image_task.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mgd/core/error.h"
#include "mgd/data/loader.h"
#include "mgd/data/prepared_images.h"
#include "mgd/task/head_features.h"
#include "mgd/teach/shown_teacher.h"
#include "mgd/teach/sliced_teacher.h"

namespace mgd {

namespace {

std::vector<std::string> marked(const std::string& role, const std::vector<std::string>& notes) {
  std::vector<std::string> lines;
  for (const std::string& note : notes) lines.push_back(fmt::format("{:<10} {}", role, note));
  return lines;
}

// "" for what pictures of every run went through before there was a choice.
std::string view_text(const EvalTransform& view) {
  if (view.crop_pct == 1 && view.mode == CropMode::center && view.filter == Filter::bilinear) return "";
  return fmt::format(", {}, crop {:g} {}", filter_name(view.filter), view.crop_pct,
                     crop_mode_name(view.mode));
}

}  // namespace

Figures figures_of(const ClassifyMetrics& m) {
  Figures figures{{"accuracy", m.accuracy}};
  if (m.top5) figures.emplace_back("top5", *m.top5);
  figures.emplace_back("loss", m.loss);
  figures.emplace_back("calibration_error", m.calibration_error);
  return figures;
}

// `channels`: those that the models want, where the recipe says nothing; 0: any.
OpenedSplits ImageTask::open_data(std::int64_t channels) const {
  DataConfig wanted = config_.data;
  if (!own_pictures_.train) {
    if (wanted.path.empty())
      fail(ExitCode::usage, "data.path: no data given; write data: {{path: FOLDER_OR_ARCHIVE}}");
    if (wanted.channels == 0) wanted.channels = channels;
    return open_splits(wanted);
  }
  for (const auto& [key, path] : {std::pair{"path", wanted.path}, {"unlabelled", wanted.unlabelled}})
    if (!path.empty())
      fail(ExitCode::usage, "data.{}: got '{}', but the program brings pictures of its own; leave it out",
           key, path);
  if (channels > 0 && channels != own_pictures_.train->channels())
    fail(ExitCode::usage, "the program's pictures have {} channels, and the weights that are given take {}",
         own_pictures_.train->channels(), channels);
  return own_pictures_;
}

std::string ImageTask::data_name() const {
  return own_pictures_.train ? "pictures of the program" : config_.data.path;
}

ImageTask::ImageTask(const Config& config, at::Device device, const Host& host)
    : config_(config), device_(device), own_models_(host.models), own_pictures_(host.pictures) {
  const DataConfig& data = config.data;
  const std::vector<Viewer> viewers = viewers_of(config, own_models_);
  OpenedSplits splits = open_data(wanted_channels(viewers));
  train_ = std::move(splits.train);
  validation_ = std::move(splits.validation);
  test_ = std::move(splits.test);
  if (train_->size() == 0) fail(ExitCode::bad_data, "data.path: {}: no training images", data_name());
  unlabelled_ = train_->class_names().empty();
  if (unlabelled_ && config.all_teachers().empty()) require_targets();
  if (viewers.empty()) return;  // opening the student says so
  survey_ = survey_pictures(*train_);
  rules_ = settle_pictures(data, viewers, survey_, train_->channels());
  teacher_size_ = rules_.size;
  if (const std::int64_t side = config.teacher.image_size; side > 0)
    teacher_size_ = {.height = side, .width = side};
  if (teacher_sees_another_size() && num_views() == 0)
    fail(ExitCode::usage,
         "teacher.image_size: the pictures come in new variants in every epoch; set data.views to the number "
         "of "
         "variants of each picture, e.g. data.views=8, so that the teacher can be shown the same ones");
  if (validation_ && validation_->size() > 0) {
    constexpr std::int64_t kShare = 4;  // of the memory for training pictures
    prepared_ = prepared_images(
        validation_, [rules = rules_](const Image& image) { return rules.view.apply(image, rules.size); },
        (data.cache_mb << 20) / kShare);
  }
}

ModelDefaults ImageTask::model_defaults(HeadUse use) const {
  return {.num_classes = num_classes(),
          .in_channels = train_->channels(),
          .height = rules_.size.height,
          .width = rules_.size.width,
          .seed = static_cast<std::uint64_t>(config_.run.seed),
          .classes = {.use = use,
                      .data = train_->class_names(),
                      .unnamed = config_.data.classes,
                      .fresh = use == HeadUse::learn && config_.student.head == "fresh"},
          .own = own_models_};
}

OpenedTeacher ImageTask::open_teacher(const ModelConfig& wanted, const std::string& role) {
  if (!wanted.answers.empty()) return open_stored_teacher(wanted, role);
  if (wanted.path.empty() && wanted.weights.empty() && wanted.script.empty())
    fail(ExitCode::usage, "{}: {} has no weights; write {}: {{model: {}, weights: FILE.safetensors}}", role,
         wanted.model, role, wanted.model);
  const ModelDefaults defaults = model_defaults(HeadUse::teach);
  const bool cached = !config_.train.teacher_cache.path.empty();
  OpenedModel teacher = cached ? outline_model(wanted, defaults, role) : open_model(wanted, defaults, role);
  for (std::string& line : marked(role, teacher.notes)) notes_.push_back(std::move(line));
  teacher_named_ = teacher_named_ || teacher.named;
  const bool judges = unlabelled_ && train_->class_names().empty();
  if (judges) note_compared(role, *teacher.model);
  if (judges) take_classes(teacher.info.label_names, teacher.info.num_classes, teacher.no_logits.empty());
  OpenedTeacher opened;
  opened.facts = {.summary = summarize(*teacher.model, teacher_size_.height, teacher_size_.width),
                  .default_tap = teacher.model->default_tap(),
                  .attention = {},
                  .hash = hash_of_weights(wanted),
                  .num_outputs = teacher.model->spec().num_classes,
                  .no_logits = teacher.no_logits};
  opened.open = [wanted, defaults, role] { return std::move(open_model(wanted, defaults, role).model); };
  if (judges) open_judge_ = opened.open;
  if (!cached) opened.model = std::move(teacher.model);
  return opened;
}

OpenedStudent ImageTask::open_student() {
  OpenedModel student = open_model(config_.student, model_defaults(HeadUse::learn), "student");
  for (std::string& line : marked("student", student.notes)) notes_.push_back(std::move(line));
  if (!config_.data.classes.empty() && !teacher_named_ && !student.named)
    fail(
        ExitCode::usage,
        "data.classes: {} names, but neither teacher nor student has as many classes and no names of its own",
        config_.data.classes.size());
  info_ = student.info;
  info_.label_names = train_->class_names();
  note_rules(rules_, info_);
  OpenedStudent opened{.model = nullptr,
                       .given = !student.source.empty(),
                       .summary = summarize(*student.model, rules_.size.height, rules_.size.width)};
  opened.model = std::move(student.model);
  return opened;
}

std::unique_ptr<Teacher> ImageTask::show_to(std::unique_ptr<Teacher> live, std::int64_t slice) const {
  std::unique_ptr<Teacher> teacher = std::move(live);
  if (config_.train.teacher_norm == "eval")
    teacher = std::make_unique<SlicedTeacher>(std::move(teacher), slice);
  if (teacher_sees_another_size())
    teacher = std::make_unique<ShownTeacher>(
        std::move(teacher), [this] { return ordered_stream_of(teacher_size_, 1); }, device_);
  return teacher;
}

LoaderOptions ImageTask::loader_options() const {
  return {.batch_size = config_.train.batch_size,
          .micro_batch_size = config_.train.micro_batch_size,
          .shuffle = true,
          .drop_last = true,
          .seed = static_cast<std::uint64_t>(config_.run.seed),
          .threads = config_.data.loader_threads,
          .mean = info_.mean,
          .std = info_.std,
          .height = info_.height,
          .width = info_.width,
          .view = rules_.view,
          .channels_last = config_.train.channels_last,
          .cache_mb = config_.data.cache_mb,
          .views = config_.data.views};
}

// One after the other, `batch` at a time, none kept in memory.
LoaderOptions ImageTask::ordered_options(PictureSize size, std::int64_t batch) const {
  LoaderOptions options = loader_options();
  options.height = size.height, options.width = size.width;
  options.batch_size = batch;
  options.shuffle = options.drop_last = false;
  options.micro_batch_size = options.cache_mb = 0;
  return options;
}

std::unique_ptr<BatchStream> ImageTask::ordered_stream_of(PictureSize size, std::int64_t batch) const {
  LoaderOptions options = ordered_options(size, batch);
  options.threads = 0;
  return std::make_unique<Loader>(*train_, make_augmentations(config_.data.augment), options);
}

std::unique_ptr<BatchStream> ImageTask::training_stream() const {
  const LoaderOptions options = loader_options();
  if (options.batch_size > train_->size())
    fail(ExitCode::usage,
         "train.batch_size: got {}, but there are only {} training images; give a smaller one",
         options.batch_size, train_->size());
  return std::make_unique<Loader>(*train_, make_augmentations(config_.data.augment), options);
}

std::int64_t ImageTask::num_views() const {
  return config_.data.augment.empty() ? 1 : config_.data.views;
}

std::string ImageTask::why_no_views() const {
  return "the augmentation makes new images in every epoch; set data.views to the number of variants of each "
         "image, e.g. data.views=8";
}

std::string ImageTask::input_text() const {
  return fmt::format("mean {}, std {}", fmt::join(info_.mean, " "), fmt::join(info_.std, " "));
}

const ImageSource* ImageTask::source(const std::string& split) const {
  if (split == "train") return train_.get();
  const ImageSource* found = split == "test" ? test_.get() : validation_.get();
  return found != nullptr && found->size() > 0 ? found : nullptr;
}

EvalOptions ImageTask::eval_options_for(Role role) const {
  const PictureSize size = size_for(role);
  return {.loader_threads = config_.data.loader_threads,
          .mean = info_.mean,
          .std = info_.std,
          .height = size.height,
          .width = size.width,
          .view = rules_.view,
          .precision = config_.train.precision,
          .device = device_};
}

std::unique_ptr<BatchStream> ImageTask::survey_stream(std::int64_t batch, bool shuffled) const {
  LoaderOptions options = ordered_options(teacher_size_, std::min(batch, train_->size()));
  options.shuffle = shuffled;
  options.views = 0;
  return std::make_unique<Loader>(*train_, AugmentChain{}, options);
}

Figures ImageTask::measure(Model& model, const std::string& split) const {
  if (unlabelled_) return beside_teacher(model, split, Role::student);
  EvalOptions options = eval_options_for(Role::student);
  const bool prepared = split == "validation" && prepared_ != nullptr;
  options.view.ready_as_is = prepared;  // scaled and cut already
  const ClassifyMetrics metrics = evaluate_classifier(model, prepared ? *prepared_ : *source(split), options);
  left_out_.insert(metrics.corrupt.begin(), metrics.corrupt.end());
  return figures_of(metrics);
}

ModelAnswers ImageTask::answers(Model& model, const std::string& split, Role role) const {
  if (unlabelled_) return {.figures = beside_teacher(model, split, role)};
  const Answers all = answer_all(model, *source(split), eval_options_for(role));
  left_out_.insert(all.corrupt.begin(), all.corrupt.end());
  ModelAnswers answers{.figures = {},
                       .logits = all.logits,
                       .samples = all.samples,
                       .classes = classify_metrics(all.logits, all.labels)};
  answers.figures = figures_of(answers.classes);
  return answers;
}

double ImageTask::latency_ms(Model& model, Role role) const {
  const PictureSize size = size_for(role);
  Batch batch;
  batch.input = at::zeros({1, info_.in_channels, size.height, size.width}, at::kFloat).to(device_);
  return measure_latency(model, batch).median_ms;
}

Batch ImageTask::samples(const std::string& split, const std::vector<std::int64_t>& indices) const {
  const auto seen_by = [&](Role role) {
    LoaderOptions options = ordered_options(size_for(role), 1);
    options.threads = options.views = 0;
    options.channels_last = false;
    Loader loader(*source(split), AugmentChain{}, options);
    return numbered_samples(loader, 0, indices);
  };
  Batch batch = seen_by(Role::student);
  batch.view = -1;
  if (teacher_sees_another_size()) batch.teacher_input = seen_by(Role::teacher).input;
  return batch;
}

at::Tensor ImageTask::noise_of(PictureSize size, std::int64_t samples) const {
  const at::Tensor pictures =
      at::randn({samples, train_->channels(), size.height, size.width}, at::kFloat).to(device_);
  return config_.train.channels_last ? pictures.contiguous(at::MemoryFormat::ChannelsLast) : pictures;
}

std::optional<Rehearsal> ImageTask::rehearsal() const {
  const PictureSize size = rules_.size;
  const auto input = static_cast<double>(train_->channels() * size.height * size.width);
  constexpr double kKeptTimes = 6;  // sides up to twice those of the input, and proportions
  constexpr double kPrefetchedSteps = 4, kFloat = 4;
  const double kept = std::min(static_cast<double>(config_.data.cache_mb) * (1 << 20),
                               kKeptTimes * input * static_cast<double>(train_->size()));
  return Rehearsal{
      .noise =
          [this](std::int64_t samples) {
            Batch batch;
            batch.input = noise_of(rules_.size, samples);
            if (teacher_sees_another_size()) batch.teacher_input = noise_of(teacher_size_, samples);
            batch.target = at::zeros({samples}, at::TensorOptions().dtype(at::kLong)).to(device_);
            batch.sample_ids.resize(static_cast<std::size_t>(samples));
            std::iota(batch.sample_ids.begin(), batch.sample_ids.end(), 0);
            return batch;
          },
      .kept_bytes = kept + kPrefetchedSteps * kFloat * input * static_cast<double>(config_.train.batch_size),
      .samples = fmt::format("pictures of {} x {}", size.height, size.width),
      .smaller = [size](double share) -> std::string {
        constexpr std::int64_t kStep = 32;  // strides of the usual networks
        const auto side = static_cast<std::int64_t>(std::sqrt(share) *
                                                    static_cast<double>(std::min(size.height, size.width)));
        return side >= kStep ? fmt::format("data.image_size={}", side / kStep * kStep) : "";
      }};
}

std::unique_ptr<ShortCut> ImageTask::short_cut(Model& student, const ModelSummary& summary,
                                               std::string& why) const {
  for (const Node& entry : config_.data.augment)
    if (const std::string& name = entry.find("name")->scalar; name == "mixup" || name == "cutmix") {
      why = name + " joins pictures anew in every step";
      return nullptr;
    }
  return HeadFeatures::open({.student = student,
                             .summary = summary,
                             .head = student.head_path(),
                             .num_samples = num_samples(),
                             .num_views = num_views(),
                             .seed = static_cast<std::uint64_t>(config_.run.seed),
                             .bf16 = config_.train.precision == "bf16",
                             .winograd = config_.train.winograd,
                             .device = device_,
                             .answers =
                                 [this, &student](const std::string& split, const std::string& head) {
                                   EvalOptions options = eval_options_for(Role::student);
                                   options.keep_input_of = head;
                                   Answers all = answer_all(student, *source(split), options);
                                   left_out_.insert(all.corrupt.begin(), all.corrupt.end());
                                   return all;
                                 }},
                            why);
}

std::map<std::string, std::string> ImageTask::identity() const {
  std::string augment;
  for (const Node& node : config_.data.augment) augment += to_yaml(node);
  std::map<std::string, std::string> id{
      {"student",
       fmt::format("{} width {} classes {}", info_.architecture, info_.width_multiplier, info_.num_classes)},
      {"data", train_->fingerprint()},
      {"normalisation", fmt::format("{} / {}", fmt::join(info_.mean, " "), fmt::join(info_.std, " "))},
      {"input size", fmt::format("{} x {}{}", info_.height, info_.width, view_text(rules_.view))},
      {"augment", augment},
      {"views", fmt::format("{}", config_.data.views)}};
  if (teacher_sees_another_size())
    id["teacher's input size"] = fmt::format("{} x {}", teacher_size_.height, teacher_size_.width);
  return id;
}

void ImageTask::export_model(const Model& student, const fs::path& folder) const {
  TensorMap state = state_of(student);
  ModelFolderInfo info = info_;
  if (!head_learns_) {
    std::erase_if(state, [&](const auto& entry) { return student.of_head(entry.first); });
    info.num_classes = 0;
    info.label_names.clear();
  }
  save_model_folder(folder.string(), info, state);
}

}  // namespace mgd
