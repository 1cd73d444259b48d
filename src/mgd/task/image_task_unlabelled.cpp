// What a task of pictures does where nobody says what they show: the classes are the teacher's, and its
// answers are what a student is measured by.
#include "mgd/core/error.h"
#include "mgd/data/relabelled_images.h"
#include "mgd/eval/agreement.h"
#include "mgd/task/image_task.h"

namespace mgd {

void ImageTask::require_targets() const {
  if (!unlabelled_) return;
  fail(ExitCode::bad_data,
       "data.path: {}: the pictures have no labels, and a loss reads them: give a folder that holds one for "
       "each class (perhaps the folder above), or learn from a teacher with losses that need none (kd, "
       "mgd, mimic)",
       data_name());
}

// answers: the teacher has logits of these classes.
void ImageTask::take_classes(std::vector<std::string> names, std::int64_t num_classes, bool answers) {
  if (answers && num_classes == 1)
    fail(ExitCode::bad_data,
         "the teacher has one class only, with nothing to tell it from; name its features in losses, and "
         "leave "
         "its logits out of the file");
  if (names.empty()) {
    for (std::int64_t k = 0; k < num_classes; ++k) names.push_back(std::to_string(k));
    if (answers)
      notes_.push_back(fmt::format(
          "{:<10} the teacher's {} classes have no names and are called by their numbers; data.classes names "
          "them",
          "", names.size()));
  }
  for (auto* source : {&train_, &validation_, &test_})
    if (*source) *source = relabelled(std::move(*source), {}, names);
}

// In what student and teacher are compared that answer in no classes, or in others.
void ImageTask::note_compared(const std::string& role, const Model& teacher) {
  const std::string head = teacher.head_path();
  notes_.push_back(fmt::format(
      "{:<10} feature_similarity: what goes into the student's classifier, against {} of {}", "measures",
      head.empty() ? fmt::format("'{}', averaged over its positions,", teacher.default_tap())
                   : "what goes into that",
      role));
}

Answers ImageTask::answers_with_features(Model& model, const std::string& split, Role role) const {
  EvalOptions options = eval_options_for(role);
  options.keep_input_of = model.head_path();
  if (options.keep_input_of.empty()) options.keep_mean_of = model.default_tap();
  const bool prepared = split == "validation" && prepared_ != nullptr && role == Role::student;
  options.view.ready_as_is = prepared;  // scaled and cut already
  Answers answers = answer_all(model, prepared ? *prepared_ : *source(split), options);
  left_out_.insert(answers.corrupt.begin(), answers.corrupt.end());
  return answers;
}

// Asked once a split; the training loop's own teacher may have been dropped, or never loaded.
const Answers& ImageTask::teacher_answers(const std::string& split) const {
  if (const auto known = teacher_answers_.find(split); known != teacher_answers_.end()) return known->second;
  const std::unique_ptr<Model> teacher = open_judge_();
  teacher->to(device_);
  return teacher_answers_[split] = answers_with_features(*teacher, split, Role::teacher);
}

Figures ImageTask::beside_teacher(Model& model, const std::string& split, Role role) const {
  if (role == Role::teacher) return {};
  return agreement(answers_with_features(model, split, role), teacher_answers(split), head_learns_);
}

}  // namespace mgd
