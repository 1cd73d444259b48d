// Masked, causal and denoising language modelling, classification of texts, and sentence embedding.
#pragma once

#include "mgd/data/text_dataset.h"
#include "mgd/eval/text_eval.h"
#include "mgd/format/config.h"
#include "mgd/mask/objective.h"
#include "mgd/task/host.h"
#include "mgd/task/task.h"
#include "mgd/task/text_limits.h"

namespace mgd {

class TextTask final : public Task {
 public:
  // Opens tokenizer and corpora; tokenised ones are kept in text.cache_dir, else in the run folder. Throws as
  // open_text does.
  // A host's pictures are refused.
  TextTask(const Config& config, at::Device device, const Host& host = {});

  // Models come as task/text_models.h says, and are checked against what is known of the data.
  OpenedTeacher open_teacher(const ModelConfig& wanted, const std::string& role) override;
  OpenedStudent open_student() override;

  std::unique_ptr<BatchStream> training_stream() const override;
  std::unique_ptr<BatchStream> ordered_stream(std::int64_t batch) const override;
  std::unique_ptr<BatchStream> survey_stream(std::int64_t batch, bool shuffled) const override;
  std::int64_t num_samples() const override { return dataset_.train->size(); }
  std::int64_t num_views() const override;
  std::string why_no_views() const override;
  bool views_of_seed() const override;
  std::int64_t num_classes() const override;
  std::vector<std::string> class_names() const override { return dataset_.class_names; }
  std::optional<ScoreRange> scores() const override;
  void require_targets() const override { mgd::require_targets(config_, dataset_); }
  Headline headline() const override;
  bool has_split(const std::string& split) const override { return source(split) != nullptr; }
  Figures measure(Model& model, const std::string& split) const override;
  double latency_ms(Model& model, Role role) const override;
  std::string fingerprint(const std::string& split) const override;
  Batch samples(const std::string& split, const std::vector<std::int64_t>& indices) const override;
  const Tokenizer* tokenizer() const override { return &tokenizer_; }
  std::map<std::string, std::string> identity() const override;
  std::vector<std::string> describe() const override;
  std::vector<std::string> unread(const BatchStream& training) const override;
  std::string data_report_json(const BatchStream& stream) const override;
  void export_model(const Model& student, const fs::path& folder) const override;

 private:
  const TextSource* source(const std::string& split) const;  // nullptr: not there, or empty
  TextEvalOptions eval_options() const { return {.precision = config_.train.precision, .device = device_}; }

  const Config config_;
  const at::Device device_;
  const fs::path tokenizer_path_;
  const Tokenizer tokenizer_;
  TextDataset dataset_;
  std::shared_ptr<const Objective> objective_, eval_objective_;
  TextConfig student_config_;
  std::map<std::string, std::string> student_files_;  // that leave with the student
};

}  // namespace mgd
