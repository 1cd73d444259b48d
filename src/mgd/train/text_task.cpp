#include "mgd/train/text_task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/eval/summary.h"
#include "mgd/eval/text_figures.h"
#include "mgd/eval/text_folder.h"
#include "mgd/format/class_map.h"
#include "mgd/io/sentence_files.h"
#include "mgd/train/run.h"
#include "mgd/train/text_limits.h"
#include "mgd/train/text_models.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t kEvalBatch = 32;

// This task makes text models only.
TextModel& text_model(Model& model) {
  auto* text = dynamic_cast<TextModel*>(&model);
  MGD_ASSERT(text != nullptr);
  return *text;
}

// A sentence encoder is measured behind its default prompt, so it learns behind it.
Config with_prompt(Config config) {
  if (config.task != "embed" || !config.text.prompt.empty() || config.student.path.empty()) return config;
  config.text.prompt = load_sentence_files(config.student.path).prompt("", config.student.path);
  return config;
}

}  // namespace

TextTask::TextTask(const Config& config, at::Device device)
    : config_(with_prompt(config)),
      device_(device),
      tokenizer_path_(tokenizer_path(config)),
      tokenizer_(Tokenizer::load(tokenizer_path_)),
      dataset_(open_text(config_, tokenizer_, token_cache_dir(config))),
      objective_(make_objective(config.task, config.objective, roles_of(tokenizer_),
                                static_cast<std::uint64_t>(config.run.seed))),
      eval_objective_(make_eval_objective(config.task, config.objective, roles_of(tokenizer_))) {
  if (config.task == "classify") require_targets();
  if (!config_.text.prompt.empty())
    dataset_.notes.push_back(fmt::format("before each text: '{}'", printable(config_.text.prompt)));
}

void TextTask::open_models(Run& run) {
  const auto note = [&](const TextRole& role) {
    dataset_.notes.insert(dataset_.notes.end(), role.notes.begin(), role.notes.end());
  };
  if (!config_.teacher.path.empty()) {
    TextRole teacher = open_text_teacher(config_, tokenizer_, dataset_);
    note(teacher);
    check_lengths(config_, dataset_, *teacher.model, "teacher");
    run.no_teacher_logits = teacher.no_logits;
    run.teacher_summary = summarize(*teacher.model);
    run.teacher_default_tap = teacher.model->default_tap();
    run.teacher_attention = teacher.model->attention_nodes();
    run.teacher = std::move(teacher.model);
  } else if (config_.teacher.given()) {
    fail(ExitCode::usage, "teacher.model: a text teacher comes as a folder; write teacher: FOLDER");
  }
  TextRole student = open_text_student(config_, tokenizer_, dataset_);
  note(student);
  check_lengths(config_, dataset_, *student.model, "student");
  student_files_ = std::move(student.files);
  run.student_given = !config_.student.path.empty();
  run.student_summary = summarize(*student.model);
  run.student = std::move(student.model);
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
  if (found == nullptr || found->size() == 0) return nullptr;
  // Embeddings are measured by the scores of pairs.
  return config_.task != "embed" || has_scores(*found) ? found : nullptr;
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

std::unique_ptr<BatchStream> TextTask::clean_stream() const {
  return stream_texts(*dataset_.train, eval_objective_,
                      {.batch_size = kEvalBatch, .threads = config_.data.loader_threads}, dataset_.report);
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
      fmt::format("{:<10} {}: {} train, {} validation, {} test samples of at most {} tokens ({}){}", "data",
                  config_.data.path, size(dataset_.train.get()), size(dataset_.validation.get()),
                  size(dataset_.test.get()), config_.text.max_length, config_.text.samples,
                  dataset_.class_names.empty() ? ""
                                               : fmt::format("; {} classes: {}", dataset_.class_names.size(),
                                                             first_names(dataset_.class_names))),
      fmt::format("{:<10} {} training tokens in an epoch, vocabulary of {}", "", dataset_.train->num_tokens(),
                  tokenizer_.vocab_size())};
  for (const auto& note : dataset_.notes) lines.push_back(fmt::format("{:<10} {}", "", note));
  constexpr std::size_t kMostShown = 5;
  for (const auto& [where, what] : dataset_.report) {
    if (lines.size() >= 2 + dataset_.notes.size() + kMostShown) {
      lines.push_back(fmt::format("{:<10} ... and {} more places, in data_report.json", "",
                                  dataset_.report.size() - kMostShown));
      break;
    }
    lines.push_back(fmt::format("{:<10} {}: {}", "", printable(where), printable(what)));
  }
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
  save_text_model(folder.string(), *model,
                  student_files(config_, tokenizer_, tokenizer_path_, *model, student_files_));
}

}  // namespace mgd
