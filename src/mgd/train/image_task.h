// Image classification.
#pragma once

#include "mgd/data/image_source.h"
#include "mgd/eval/classify.h"
#include "mgd/format/config.h"
#include "mgd/train/host.h"
#include "mgd/train/open_model.h"
#include "mgd/train/picture_rules.h"
#include "mgd/train/task.h"

namespace mgd {

struct Run;

class ImageTask final : public Task {
 public:
  // Opens the data. Throws as open_splits does, and Error(usage | bad_data) for a recipe that does not fit
  // it.
  // host: its pictures stand in for data.path, its models may be named.
  ImageTask(const Config& config, at::Device device, const Host& host = {});

  // Opens teacher and student into `run`. Both see pictures as settle_pictures says.
  // A teacher with a cache is only outlined: run.teacher stays null.
  void open_models(Run& run);
  std::unique_ptr<ImageModel> open_teacher() const;

  std::unique_ptr<BatchStream> training_stream() const override;
  // The same samples, one at a time and in order, as the student or as the teacher sees them.
  std::unique_ptr<BatchStream> sample_stream() const { return sample_stream_of(rules_.size); }
  std::unique_ptr<BatchStream> teacher_stream() const { return sample_stream_of(teacher_size_); }
  bool teacher_sees_another_size() const { return teacher_size_ != rules_.size; }
  std::int64_t num_samples() const override { return train_->size(); }
  std::int64_t num_measured() const override {
    return (validation_ ? validation_->size() : 0) + (test_ ? test_->size() : 0);
  }
  std::int64_t num_views() const override;
  std::int64_t num_classes() const override {
    return static_cast<std::int64_t>(train_->class_names().size());
  }
  Headline headline() const override { return {.name = "accuracy"}; }
  bool has_split(const std::string& split) const override { return source(split) != nullptr; }
  Figures measure(Model& model, const std::string& split) const override;
  double latency_ms(Model& model) const override;
  double teacher_latency_ms(Model& teacher) const override;
  std::map<std::string, std::string> identity() const override;
  std::vector<std::string> describe() const override;
  std::string data_report_json(const BatchStream& stream) const override;
  void export_model(const Model& student, const fs::path& folder) const override;

  const ImageSource& train() const { return *train_; }
  const ImageSource* source(const std::string& split) const;  // nullptr: not there, or empty
  EvalOptions eval_options() const { return eval_options_of(rules_.size); }
  EvalOptions teacher_eval_options() const { return eval_options_of(teacher_size_); }
  // What measures left out so far: sample name -> what was wrong.
  std::map<std::string, std::string> left_out() const override { return left_out_; }
  void remember_left_out(const std::map<std::string, std::string>& corrupt) const {
    left_out_.insert(corrupt.begin(), corrupt.end());
  }

 private:
  OpenedSplits open_data(std::int64_t channels) const;
  std::string data_name() const;
  ModelDefaults model_defaults(HeadUse use) const;
  LoaderOptions loader_options() const;
  std::unique_ptr<BatchStream> sample_stream_of(PictureSize size) const;
  EvalOptions eval_options_of(PictureSize size) const;
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
  mutable std::map<std::string, std::string> left_out_;
  ModelFolderInfo info_;  // what the exported folder will say; holds the normalisation of the run
};

Figures figures_of(const ClassifyMetrics& metrics);

}  // namespace mgd
