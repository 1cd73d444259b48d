#include "mgd/train/image_task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/data/loader.h"
#include "mgd/data/prepared_images.h"
#include "mgd/data/source_lines.h"
#include "mgd/train/run.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

std::vector<std::string> marked(const char* role, const std::vector<std::string>& notes) {
  std::vector<std::string> lines;
  for (const std::string& note : notes) lines.push_back(fmt::format("{:<10} {}", role, note));
  return lines;
}

std::vector<std::int64_t> pictures_of_classes(const ImageSource& source) {
  std::vector<std::int64_t> counts(source.class_names().size());
  for (std::int64_t i = 0; i < source.size(); ++i)
    if (const auto label = source.label(i); label >= 0) ++counts.at(static_cast<std::size_t>(label));
  return counts;
}

json split_json(const ImageSource* source) {
  if (!source) return nullptr;
  const std::vector<std::int64_t> counts = pictures_of_classes(*source);
  json classes = json::object();
  for (std::size_t c = 0; c < counts.size(); ++c) classes[source->class_names()[c]] = counts[c];
  return {{"samples", source->size()},
          {"unused_files", source->unused_files()},
          {"notes", source->notes()},
          {"classes", classes},
          {"fingerprint", source->fingerprint()}};
}

// Of a class that is not measured nobody learns how well it is known.
std::string missing_classes_line(const char* part, const ImageSource* source) {
  if (source == nullptr || source->size() == 0) return "";
  const std::vector<std::int64_t> counts = pictures_of_classes(*source);
  std::vector<std::string> missing;
  for (std::size_t c = 0; c < counts.size(); ++c)
    if (counts[c] == 0) missing.push_back(printable(source->class_names()[c]));
  if (missing.empty()) return "";
  constexpr std::size_t kShown = 5;
  const std::size_t more = missing.size() - std::min(missing.size(), kShown);
  missing.resize(std::min(missing.size(), kShown));
  return fmt::format("{:<10} the {} part has no pictures of {}{}", "", part, fmt::join(missing, ", "),
                     more > 0 ? fmt::format(" and {} more classes", more) : "");
}

// "" for what pictures of every run went through before there was a choice.
std::string view_text(const EvalTransform& view) {
  if (view.crop_pct == 1 && view.mode == CropMode::center && view.filter == Filter::bilinear) return "";
  return fmt::format(", {}, crop {:g} {}", filter_name(view.filter), view.crop_pct,
                     crop_mode_name(view.mode));
}

// This task makes image models only.
ImageModel& image_model(Model& model) {
  auto* image = dynamic_cast<ImageModel*>(&model);
  MGD_ASSERT(image != nullptr);
  return *image;
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
  if (!wanted.path.empty())
    fail(ExitCode::usage, "data.path: got '{}', but the program brings pictures of its own; leave it out",
         wanted.path);
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

std::unique_ptr<ImageModel> ImageTask::open_teacher() const {
  return std::move(open_model(config_.teacher, model_defaults(HeadUse::teach), "teacher").model);
}

void ImageTask::open_models(Run& run) {
  const ModelDefaults defaults = model_defaults(HeadUse::teach);
  OpenedModel teacher;
  const ModelConfig& wanted = config_.teacher;
  if (wanted.given()) {
    if (wanted.path.empty() && wanted.weights.empty())
      fail(ExitCode::usage,
           "teacher: {} has no weights; write teacher: {{model: {}, weights: FILE.safetensors}}",
           wanted.model, wanted.model);
    const bool cached = !config_.train.teacher_cache.path.empty();
    teacher = cached ? outline_model(wanted, defaults, "teacher") : open_model(wanted, defaults, "teacher");
    notes_ = marked("teacher", teacher.notes);
    run.no_teacher_logits = teacher.no_logits;
    run.teacher_classes = teacher.model->spec().num_classes;
    run.teacher_summary = summarize(*teacher.model, teacher_size_.height, teacher_size_.width);
    run.teacher_default_tap = teacher.model->default_tap();
    if (!cached) run.teacher = std::move(teacher.model);
  }
  OpenedModel student = open_model(config_.student, model_defaults(HeadUse::learn), "student");
  run.student_given = !student.source.empty();
  for (std::string& line : marked("student", student.notes)) notes_.push_back(std::move(line));
  if (!config_.data.classes.empty() && !teacher.named && !student.named)
    fail(
        ExitCode::usage,
        "data.classes: {} names, but neither teacher nor student has as many classes and no names of its own",
        config_.data.classes.size());
  run.student_summary = summarize(*student.model, defaults.height, defaults.width);
  run.student = std::move(student.model);
  info_ = student.info;
  info_.label_names = train_->class_names();
  note_rules(rules_, info_);
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

std::unique_ptr<BatchStream> ImageTask::sample_stream_of(PictureSize size) const {
  LoaderOptions options = loader_options();
  options.height = size.height, options.width = size.width;
  options.batch_size = options.micro_batch_size = 1;
  options.shuffle = options.drop_last = false;
  options.threads = options.cache_mb = 0;
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

const ImageSource* ImageTask::source(const std::string& split) const {
  const ImageSource* found = split == "test" ? test_.get() : validation_.get();
  return found != nullptr && found->size() > 0 ? found : nullptr;
}

EvalOptions ImageTask::eval_options_of(PictureSize size) const {
  return {.loader_threads = config_.data.loader_threads,
          .mean = info_.mean,
          .std = info_.std,
          .height = size.height,
          .width = size.width,
          .view = rules_.view,
          .precision = config_.train.precision,
          .device = device_};
}

Figures ImageTask::measure(Model& model, const std::string& split) const {
  EvalOptions options = eval_options();
  const bool prepared = split == "validation" && prepared_ != nullptr;
  options.view.ready_as_is = prepared;  // scaled and cut already
  const ClassifyMetrics metrics =
      evaluate_classifier(image_model(model), prepared ? *prepared_ : *source(split), options);
  remember_left_out(metrics.corrupt);
  return figures_of(metrics);
}

double ImageTask::latency_ms(Model& model) const {
  return measure_latency(image_model(model), info_.height, info_.width).median_ms;
}

double ImageTask::teacher_latency_ms(Model& teacher) const {
  return measure_latency(image_model(teacher), teacher_size_.height, teacher_size_.width).median_ms;
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

std::vector<std::string> ImageTask::describe() const {
  const auto size = [](const ImageSource* s) { return s ? s->size() : 0; };
  std::vector<std::string> lines = describe_pictures(rules_, survey_, info_.in_channels);
  lines.insert(lines.begin(), fmt::format("{:<10} {}: {} train, {} validation, {} test; {} classes", "data",
                                          data_name(), train_->size(), size(validation_.get()),
                                          size(test_.get()), info_.label_names.size()));
  if (teacher_sees_another_size())
    lines.push_back(fmt::format("{:<10} the teacher sees the same parts of them at {} x {}", "",
                                teacher_size_.height, teacher_size_.width));
  for (auto& line : source_lines(*train_)) lines.push_back(std::move(line));
  lines.push_back(fmt::format("{:<10} mean {:.4g}, std {:.4g}", "", fmt::join(info_.mean, " "),
                              fmt::join(info_.std, " ")));
  for (const auto& [part, source] :
       {std::pair{"validation", validation_.get()}, std::pair{"test", test_.get()}})
    if (std::string line = missing_classes_line(part, source); !line.empty())
      lines.push_back(std::move(line));
  lines.insert(lines.end(), notes_.begin(), notes_.end());
  return lines;
}

std::string ImageTask::data_report_json(const BatchStream& stream) const {
  json report{{"path", data_name()},
              {"train", split_json(train_.get())},
              {"validation", split_json(validation_.get())},
              {"test", split_json(test_.get())}};
  report["corrupt"] = stream.corrupt();
  report["left_out_of_measures"] = left_out_;
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void ImageTask::export_model(const Model& student, const fs::path& folder) const {
  save_model_folder(folder.string(), info_, state_of(student));
}

}  // namespace mgd
