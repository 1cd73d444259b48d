// Masked, causal and denoising language modelling, classification of texts, and sentence embedding.
#pragma once

#include "mgd/data/text_dataset.h"
#include "mgd/eval/text_eval.h"
#include "mgd/format/config.h"
#include "mgd/mask/objective.h"
#include "mgd/train/task.h"
#include "mgd/train/text_limits.h"

namespace mgd {

struct Run;

class TextTask final : public Task {
 public:
  // Opens tokenizer and corpora; tokenised ones are kept in text.cache_dir, else in the run folder. Throws as
  // open_text does.
  explicit TextTask(const Config& config, at::Device device);

  // Opens teacher and student into `run` (train/text_models.h) and checks what is known of the data against
  // them. Error(usage) also for a name that is none of a text model.
  void open_models(Run& run);

  std::unique_ptr<BatchStream> training_stream() const override;
  std::int64_t num_samples() const override { return dataset_.train->size(); }
  std::int64_t num_classes() const override;
  void require_targets() const override { mgd::require_targets(config_, dataset_); }
  Headline headline() const override;
  bool has_split(const std::string& split) const override { return source(split) != nullptr; }
  Figures measure(Model& model, const std::string& split) const override;
  double latency_ms(Model& model) const override;
  std::map<std::string, std::string> identity() const override;
  std::vector<std::string> describe() const override;
  std::string data_report_json(const BatchStream& stream) const override;
  void export_model(const Model& student, const fs::path& folder) const override;

  const Tokenizer& tokenizer() const { return tokenizer_; }
  TextSource::Scores scores() const { return dataset_.train->scores(); }
  // The training texts once, in their order and as measuring sees them.
  std::unique_ptr<BatchStream> clean_stream() const;
  // The first samples of a split as one batch, hidden as for measuring; for pictures of what a model sees.
  Batch first_samples(const std::string& split, std::int64_t count) const;

 private:
  const TextSource* source(const std::string& split) const;  // nullptr: not there, or empty
  TextEvalOptions eval_options() const { return {.precision = config_.train.precision, .device = device_}; }

  const Config config_;
  const at::Device device_;
  const fs::path tokenizer_path_;
  const Tokenizer tokenizer_;
  TextDataset dataset_;
  std::shared_ptr<const Objective> objective_, eval_objective_;
  std::map<std::string, std::string> student_files_;  // that its folder brought
};

}  // namespace mgd
