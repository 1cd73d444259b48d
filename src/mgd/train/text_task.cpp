#include "mgd/train/text_task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/eval/summary.h"
#include "mgd/eval/text_figures.h"
#include "mgd/eval/text_folder.h"
#include "mgd/train/run.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t kEvalBatch = 32;

TextHead head_of(const std::string& task) {
  if (task == "mlm") return TextHead::masked_lm;
  if (task == "clm" || task == "denoise") return TextHead::causal_lm;
  return task == "classify" ? TextHead::sequence_classification : TextHead::encoder;
}

// This task makes text models only.
TextModel& text_model(Model& model) {
  auto* text = dynamic_cast<TextModel*>(&model);
  MGD_ASSERT(text != nullptr);
  return *text;
}

// The files that a model folder carries beside its weights.
std::map<std::string, std::string> tokenizer_files(const fs::path& path) {
  if (!fs::is_directory(path)) return {{"tokenizer.json", read_file(path)}};
  std::map<std::string, std::string> files;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"})
    if (fs::exists(path / name)) files[name] = read_file(path / name);
  return files;
}

std::unique_ptr<TextModel> fresh_model(const Config& config, const Tokenizer& tokenizer, TextHead head,
                                       const std::vector<std::string>& classes) {
  const ModelConfig& wanted = config.student;
  if (!wanted.weights.empty())
    fail(ExitCode::usage, "student.weights: a text model comes as a folder; write student: FOLDER");
  TextSizes sizes = wanted.sizes;
  if (sizes.vocab_size == 0) sizes.vocab_size = tokenizer.vocab_size();
  TextConfig text = text_config(wanted.model, sizes, head);
  const SpecialTokens& special = tokenizer.special_tokens();
  text.pad_id = special.pad;
  text.bos_id = special.bos;
  text.eos_id = special.eos;
  text.cls_id = special.cls;
  text.sep_id = special.sep;
  text.decoder_start_id = text.encoder_decoder() ? std::max(special.eos, special.sep) : -1;
  if (!classes.empty()) {
    text.num_labels = static_cast<std::int64_t>(classes.size());
    text.label_names = classes;
  }
  return make_text_model(text, static_cast<std::uint64_t>(config.run.seed));
}

void check_vocabulary(const TextModel& model, const Tokenizer& tokenizer, const char* role) {
  if (model.config().vocab_size < tokenizer.vocab_size())
    fail(ExitCode::usage, "{}: {} knows {} tokens, the tokenizer has {}", role, model.architecture(),
         model.config().vocab_size, tokenizer.vocab_size());
}

// Texts alone can be read, but nothing be learned of them.
void require_targets(const std::string& task, const TextSource& train) {
  if ((task != "classify" && task != "embed") || train.size() == 0) return;
  const TextSample sample = train.sample(0, 0);
  if (task == "embed" && sample.sequences.size() != 2)
    fail(ExitCode::usage, "text.columns: got one column, but task embed compares the texts of two");
  if (task == "embed" ? std::isnan(sample.score) : sample.label < 0)
    fail(ExitCode::usage, "text.target: got none, but task {} learns from a {}", task,
         task == "embed" ? "score" : "label");
}

}  // namespace

TextTask::TextTask(const Config& config, at::Device device)
    : config_(config),
      device_(device),
      tokenizer_path_(tokenizer_path(config)),
      tokenizer_(Tokenizer::load(tokenizer_path_)),
      dataset_(open_text(config, tokenizer_, token_cache_dir(config))),
      objective_(make_objective(config.task, config.objective, roles_of(tokenizer_),
                                static_cast<std::uint64_t>(config.run.seed))),
      eval_objective_(make_eval_objective(config.task, config.objective, roles_of(tokenizer_))) {
  require_targets(config.task, *dataset_.train);
}

void TextTask::open_models(Run& run) {
  const TextHead head = head_of(config_.task);
  const OpenTextOptions options{.head = head,
                                .num_labels = num_classes(),
                                .label_names = dataset_.class_names,
                                .seed = static_cast<std::uint64_t>(config_.run.seed)};
  if (!config_.teacher.path.empty()) {
    OpenedText teacher = open_text_folder(config_.teacher.path, options);
    check_vocabulary(*teacher.model, tokenizer_, "teacher");
    run.teacher_summary = summarize(*teacher.model);
    run.teacher_default_tap = teacher.model->default_tap();
    run.teacher = std::move(teacher.model);
  } else if (config_.teacher.given()) {
    fail(ExitCode::usage, "teacher.model: a text teacher comes as a folder; write teacher: FOLDER");
  }
  std::unique_ptr<TextModel> student;
  if (config_.student.path.empty()) {
    student = fresh_model(config_, tokenizer_, head, dataset_.class_names);
  } else {
    OpenedText opened = open_text_folder(config_.student.path, options);
    if (!opened.fresh.empty())
      dataset_.notes.push_back(
          fmt::format("the student's folder lacks {} tensors, which begin with fresh weights: {}{}",
                      opened.fresh.size(), opened.fresh.front(), opened.fresh.size() > 1 ? ", ..." : ""));
    student = std::move(opened.model);
  }
  check_vocabulary(*student, tokenizer_, "student");
  run.student_given = !config_.student.path.empty();
  run.student_summary = summarize(*student);
  run.student = std::move(student);
}

std::unique_ptr<BatchStream> TextTask::training_stream() const {
  const TrainConfig& train = config_.train;
  if (train.batch_size > dataset_.train->size())
    fail(ExitCode::usage,
         "train.batch_size: got {}, but there are only {} training samples; give a smaller one",
         train.batch_size, dataset_.train->size());
  return stream_texts(*dataset_.train, objective_,
                      {.batch_size = train.batch_size,
                       .micro_batch_size = train.micro_batch_size,
                       .shuffle = true,
                       .drop_last = true,
                       .seed = static_cast<std::uint64_t>(config_.run.seed),
                       .threads = config_.data.loader_threads},
                      dataset_.report);
}

std::int64_t TextTask::num_classes() const {
  return config_.task == "classify" ? static_cast<std::int64_t>(dataset_.class_names.size()) : 0;
}

Headline TextTask::headline() const {
  if (config_.task == "classify") return {.name = "accuracy"};
  if (config_.task == "embed") return {.name = "spearman"};
  return {.name = "loss", .higher_is_better = false};
}

const TextSource* TextTask::source(const std::string& split) const {
  const TextSource* found = split == "test" ? dataset_.test.get() : dataset_.validation.get();
  return found != nullptr && found->size() > 0 ? found : nullptr;
}

Figures TextTask::measure(Model& model, const std::string& split) const {
  const auto stream =
      stream_texts(*source(split), eval_objective_,
                   {.batch_size = kEvalBatch, .threads = config_.data.loader_threads}, dataset_.report);
  return measure_texts(config_.task, text_model(model), *stream, tokenizer_, eval_options());
}

double TextTask::latency_ms(Model& model) const {
  constexpr int kWarmUps = 3, kRuns = 21;
  const Batch batch = first_samples(has_split("validation") ? "validation" : "train", 1);
  std::vector<double> times;
  for (int i = 0; i < kWarmUps + kRuns; ++i) {
    const double start = now_seconds();
    answer(text_model(model), batch, eval_options());
    if (i >= kWarmUps) times.push_back(1e3 * (now_seconds() - start));
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return times[kRuns / 2];
}

Batch TextTask::first_samples(const std::string& split, std::int64_t count) const {
  const TextSource& from = split == "train" ? *dataset_.train : *source(split);
  std::vector<TextSample> samples;
  for (std::int64_t i = 0; i < std::min(count, from.size()); ++i) samples.push_back(from.sample(i, 0));
  return eval_objective_->make(samples, 0);
}

std::map<std::string, std::string> TextTask::identity() const {
  return {{"task", config_.task},
          {"student", config_.student.path.empty() ? config_.student.model : config_.student.path},
          {"data", dataset_.fingerprint},
          {"objective", to_yaml(write_options(config_.objective))}};
}

std::vector<std::string> TextTask::describe() const {
  const auto size = [](const TextSource* s) { return s ? s->size() : 0; };
  std::vector<std::string> lines{
      fmt::format("{:<10} {}: {} train, {} validation, {} test samples of at most {} tokens ({})", "data",
                  config_.data.path, size(dataset_.train.get()), size(dataset_.validation.get()),
                  size(dataset_.test.get()), config_.text.max_length, config_.text.samples),
      fmt::format("{:<10} {} training tokens in an epoch, vocabulary of {}", "", dataset_.train->num_tokens(),
                  tokenizer_.vocab_size())};
  for (const auto& note : dataset_.notes) lines.push_back(fmt::format("{:<10} {}", "", note));
  return lines;
}

std::string TextTask::data_report_json(const BatchStream& stream) const {
  const auto split = [](const TextSource* s) -> json {
    if (s == nullptr) return nullptr;
    return {{"samples", s->size()}, {"tokens", s->num_tokens()}};
  };
  json report{{"path", config_.data.path},
              {"tokenizer", tokenizer_path_.string()},
              {"fingerprint", dataset_.fingerprint},
              {"train", split(dataset_.train.get())},
              {"validation", split(dataset_.validation.get())},
              {"test", split(dataset_.test.get())}};
  report["corrupt"] = stream.corrupt();
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void TextTask::export_model(const Model& student, const fs::path& folder) const {
  const auto* model = dynamic_cast<const TextModel*>(&student);
  MGD_ASSERT(model != nullptr);
  save_text_model(folder.string(), *model, tokenizer_files(tokenizer_path_));
}

}  // namespace mgd
