#include "mgd/task/text_task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/data/source_lines.h"
#include "mgd/eval/summary.h"
#include "mgd/eval/text_figures.h"
#include "mgd/eval/text_folder.h"
#include "mgd/format/class_map.h"
#include "mgd/io/sentence_files.h"
#include "mgd/task/open_model.h"
#include "mgd/task/same_vocabulary.h"
#include "mgd/task/text_limits.h"
#include "mgd/task/text_models.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t kEvalBatch = 32;

// A sentence encoder is measured behind its default prompt, so it learns behind it.
Config with_prompt(Config config) {
  if (config.task != "embed" || !config.text.prompt.empty() || config.student.path.empty()) return config;
  config.text.prompt = load_sentence_files(config.student.path).prompt("", config.student.path);
  return config;
}

}  // namespace

TextTask::TextTask(const Config& config, at::Device device, const Host& host)
    : config_(with_prompt(config)),
      device_(device),
      tokenizer_path_(tokenizer_path(config)),
      tokenizer_(Tokenizer::load(tokenizer_path_)),
      dataset_(open_text(config_, tokenizer_, token_cache_dir(config))),
      objective_(make_objective(config.task, config.objective, roles_of(tokenizer_),
                                static_cast<std::uint64_t>(config.run.seed))),
      eval_objective_(make_eval_objective(config.task, config.objective, roles_of(tokenizer_))) {
  if (host.pictures.train)
    fail(ExitCode::usage, "task: {} reads texts, and the program brings pictures", config.task);
  if (config.task == "classify") require_targets();
  if (!config_.text.prompt.empty())
    dataset_.notes.push_back(fmt::format("before each text: '{}'", printable(config_.text.prompt)));
}

OpenedTeacher TextTask::open_teacher(const ModelConfig& wanted, const std::string& role) {
  if (wanted.path.empty())
    fail(ExitCode::usage, "{}.model: a text teacher comes as a folder; write {}: FOLDER", role, role);
  require_same_vocabulary(tokenizer_, tokenizer_path_, wanted.path, role);
  TextRole teacher = open_text_teacher(config_, wanted.path, role, tokenizer_, dataset_);
  dataset_.notes.insert(dataset_.notes.end(), teacher.notes.begin(), teacher.notes.end());
  check_lengths(config_, dataset_, *teacher.model, role);
  OpenedTeacher opened;
  opened.facts = {.summary = summarize(*teacher.model),
                  .default_tap = teacher.model->default_tap(),
                  .attention = teacher.model->attention_nodes(),
                  .hash = hash_of_weights(wanted),
                  .answers = teacher.model->answer_kind(),
                  .num_outputs = teacher.model->answer_kind() == AnswerKind::vocabulary
                                     ? teacher.model->config().vocab_size
                                     : teacher.model->config().num_labels,
                  .no_logits = teacher.no_logits};
  opened.open = [this, wanted, role] {
    return open_text_teacher(config_, wanted.path, role, tokenizer_, dataset_).model;
  };
  opened.model = std::move(teacher.model);
  return opened;
}

OpenedStudent TextTask::open_student() {
  if (!config_.student.path.empty())
    require_same_vocabulary(tokenizer_, tokenizer_path_, config_.student.path, "student");
  TextRole student = open_text_student(config_, tokenizer_, dataset_);
  dataset_.notes.insert(dataset_.notes.end(), student.notes.begin(), student.notes.end());
  check_lengths(config_, dataset_, *student.model, "student");
  student_config_ = student.model->config();
  student_files_ = student_files(config_, tokenizer_, tokenizer_path_, *student.model, student.files);
  OpenedStudent opened{
      .model = nullptr, .given = !config_.student.path.empty(), .summary = summarize(*student.model)};
  opened.model = std::move(student.model);
  return opened;
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
                       .threads = config_.data.loader_threads});
}

std::unique_ptr<BatchStream> TextTask::ordered_stream(std::int64_t batch) const {
  return stream_texts(*dataset_.train, objective_,
                      {.batch_size = std::min(batch, dataset_.train->size()), .threads = 0});
}

std::unique_ptr<BatchStream> TextTask::survey_stream(std::int64_t batch, bool shuffled) const {
  return stream_texts(*dataset_.train, eval_objective_,
                      {.batch_size = std::min(batch, dataset_.train->size()),
                       .shuffle = shuffled,
                       .seed = static_cast<std::uint64_t>(config_.run.seed),
                       .threads = config_.data.loader_threads});
}

std::int64_t TextTask::num_views() const {
  return views_of_seed() ? config_.objective.variants : 1;
}

bool TextTask::views_of_seed() const {
  return dataset_.train->moves() || draws_masks(config_.task);
}

std::string TextTask::why_no_views() const {
  if (dataset_.train->moves())
    return "blocks begin at other tokens in every epoch; set objective.variants to the number of different "
           "epochs, e.g. objective.variants=8";
  return "every epoch hides other tokens; set objective.variants to the number of masks of each sample, e.g. "
         "objective.variants=8";
}

std::optional<ScoreRange> TextTask::scores() const {
  const TextSource::Scores range = dataset_.train->scores();
  return ScoreRange{.least = range.least, .largest = range.largest};
}

std::string TextTask::fingerprint(const std::string& split) const {
  return fmt::format("{} {} {}", dataset_.fingerprint, split, source(split)->size());
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
  if (split == "train") return dataset_.train.get();
  const TextSource* found = split == "test" ? dataset_.test.get() : dataset_.validation.get();
  if (found == nullptr || found->size() == 0) return nullptr;
  // Embeddings are measured by the scores of pairs.
  return config_.task != "embed" || has_scores(*found) ? found : nullptr;
}

Figures TextTask::measure(Model& model, const std::string& split) const {
  const auto stream = stream_texts(*source(split), eval_objective_,
                                   {.batch_size = kEvalBatch, .threads = config_.data.loader_threads});
  return measure_texts(config_.task, model, *stream, tokenizer_, eval_options());
}

double TextTask::latency_ms(Model& model, Role /*role*/) const {
  constexpr int kRuns = 21;
  return measure_latency(model, samples(has_split("validation") ? "validation" : "train", {0}), kRuns)
      .median_ms;
}

Batch TextTask::samples(const std::string& split, const std::vector<std::int64_t>& indices) const {
  std::vector<TextSample> chosen;
  for (const std::int64_t i : indices) chosen.push_back(source(split)->sample(i, 0));
  return eval_objective_->make(chosen, 0);
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
  for (const auto& [where, what] : dataset_.changes)
    lines.push_back(fmt::format("{:<10} {}: {}", "", printable(where), printable(what)));
  for (const UnreadDocuments& split : dataset_.unread)
    for (const std::string& line : unread_lines(split)) lines.push_back(fmt::format("{:<10} {}", "", line));
  return lines;
}

std::vector<std::string> TextTask::unread(const BatchStream& /*training*/) const {
  std::vector<std::string> lines;
  for (const UnreadDocuments& split : dataset_.unread)
    std::ranges::move(unread_lines(split), std::back_inserter(lines));
  return lines;
}

std::string TextTask::data_report_json(const BatchStream& /*stream*/) const {
  const auto split = [](const TextSource* s) -> json {
    if (s == nullptr) return nullptr;
    return {{"samples", s->size()}, {"tokens", s->num_tokens()}, {"cut", s->num_cut()}};
  };
  json report{{"path", config_.data.path},
              {"tokenizer", tokenizer_path_.string()},
              {"fingerprint", dataset_.fingerprint},
              {"train", split(dataset_.train.get())},
              {"validation", split(dataset_.validation.get())},
              {"test", split(dataset_.test.get())}};
  report["changes"] = dataset_.changes;
  json& unread = report["unread"] = json::object();
  for (const UnreadDocuments& split : dataset_.unread)
    unread[split.where] = {{"documents", split.documents}, {"of", split.of}, {"first", split.first}};
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void TextTask::export_model(const Model& student, const fs::path& folder) const {
  save_text_model(folder.string(), student_config_, state_of(student), student_files_);
}

}  // namespace mgd
