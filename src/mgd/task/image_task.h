// Image classification.
#pragma once

#include "mgd/data/image_source.h"
#include "mgd/eval/classify.h"
#include "mgd/format/config.h"
#include "mgd/task/host.h"
#include "mgd/task/open_model.h"
#include "mgd/task/picture_rules.h"
#include "mgd/task/task.h"

namespace mgd {

class ImageTask final : public Task {
 public:
  // Opens the data. Throws as open_splits does, and Error(usage | bad_data) for a recipe that does not fit
  // it.
  // host: its pictures stand in for data.path, its models may be named.
  ImageTask(const Config& config, at::Device device, const Host& host = {});

  // Both see pictures as settle_pictures says. A teacher with a cache is only outlined.
  OpenedTeacher open_teacher(const ModelConfig& wanted, const std::string& role) override;
  OpenedStudent open_student() override;
  std::unique_ptr<Teacher> show_to(std::unique_ptr<Teacher> live, std::int64_t slice) const override;

  std::unique_ptr<BatchStream> training_stream() const override;
  std::unique_ptr<BatchStream> ordered_stream(std::int64_t batch) const override {
    return ordered_stream_of(rules_.size, batch);
  }
  std::unique_ptr<BatchStream> survey_stream(std::int64_t batch, bool shuffled) const override;
  std::int64_t num_samples() const override { return train_->size(); }
  std::int64_t num_measured() const override {
    return (validation_ ? validation_->size() : 0) + (test_ ? test_->size() : 0);
  }
  std::int64_t num_views() const override;
  std::string why_no_views() const override;
  std::int64_t num_classes() const override {
    return static_cast<std::int64_t>(train_->class_names().size());
  }
  std::vector<std::string> class_names() const override { return train_->class_names(); }
  bool labelled() const override { return !unlabelled_; }
  void require_targets() const override;
  void student_answers_learn(bool learn) override { head_learns_ = learn || !unlabelled_; }
  std::string input_text() const override;
  // Without labels: how near the student comes to the first teacher (eval/agreement.h).
  Headline headline() const override {
    return {.name = !unlabelled_ ? "accuracy" : head_learns_ ? "agreement" : "feature_similarity"};
  }
  bool has_split(const std::string& split) const override { return source(split) != nullptr; }
  Figures measure(Model& model, const std::string& split) const override;
  ModelAnswers answers(Model& model, const std::string& split, Role role) const override;
  double latency_ms(Model& model, Role role) const override;
  std::string fingerprint(const std::string& split) const override { return source(split)->fingerprint(); }
  Batch samples(const std::string& split, const std::vector<std::int64_t>& indices) const override;
  const ImageSource* pictures(const std::string& split) const override {
    return unlabelled_ ? nullptr : source(split);
  }
  std::map<std::string, std::string> left_out() const override { return left_out_; }
  std::optional<Rehearsal> rehearsal() const override;
  std::unique_ptr<ShortCut> short_cut(Model& student, const ModelSummary& summary,
                                      std::string& why) const override;
  std::map<std::string, std::string> identity() const override;
  std::vector<std::string> describe() const override;
  std::string data_report_json(const BatchStream& stream) const override;
  void export_model(const Model& student, const fs::path& folder) const override;

 private:
  OpenedSplits open_data(std::int64_t channels) const;
  std::string data_name() const;
  ModelDefaults model_defaults(HeadUse use) const;
  LoaderOptions loader_options() const;
  LoaderOptions ordered_options(PictureSize size, std::int64_t batch) const;
  std::unique_ptr<BatchStream> ordered_stream_of(PictureSize size, std::int64_t batch) const;
  const ImageSource* source(const std::string& split) const;  // nullptr: not there, or empty
  bool teacher_sees_another_size() const { return teacher_size_ != rules_.size; }
  PictureSize size_for(Role role) const { return role == Role::teacher ? teacher_size_ : rules_.size; }
  EvalOptions eval_options_for(Role role) const;
  OpenedTeacher open_stored_teacher(const ModelConfig& wanted, const std::string& role);
  void note_compared(const std::string& role, const Model& teacher);
  void take_classes(std::vector<std::string> names, std::int64_t num_classes, bool answers);
  Figures beside_teacher(Model& model, const std::string& split, Role role) const;
  Answers answers_with_features(Model& model, const std::string& split, Role role) const;
  const Answers& teacher_answers(const std::string& split) const;
  at::Tensor noise_of(PictureSize size, std::int64_t samples) const;  // (B, C, Y, X)
  const Config config_;
  const at::Device device_;
  const std::vector<OwnModel> own_models_;
  const OpenedSplits own_pictures_;
  std::shared_ptr<const ImageSource> train_, validation_, test_;  // the last two may be null
  std::shared_ptr<const ImageSource> prepared_;                   // validation_ as the student sees it
  PictureSurvey survey_;                                          // of the training pictures
  PictureRules rules_;
  PictureSize teacher_size_;        // that of the rules, unless teacher.image_size says another
  std::vector<std::string> notes_;  // on the models, for the console
  bool teacher_named_ = false;      // OpenedModel::named
  bool unlabelled_ = false;         // the classes are those of the first teacher
  bool head_learns_ = true;
  LiveTeacher::Open open_judge_;                            // the first teacher of pictures without labels
  mutable std::map<std::string, Answers> teacher_answers_;  // its, by split
  mutable std::map<std::string, std::string> left_out_;
  ModelFolderInfo info_;  // what the exported folder will say; holds the normalisation of the run
};

Figures figures_of(const ClassifyMetrics& metrics);

}  // namespace mgd
