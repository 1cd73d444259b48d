// Everything that differs between the tasks of the one training loop: what models and data are, how a model
// is measured, in what form it leaves. Nothing else asks which task it is. The list of tasks is in tasks.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgd/core/file.h"
#include "mgd/data/batch_stream.h"
#include "mgd/data/image_source.h"
#include "mgd/eval/figures.h"
#include "mgd/task/answers.h"
#include "mgd/task/short_cut.h"
#include "mgd/teach/live_teacher.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

// The figure that decides which weights are the best.
struct Headline {
  std::string name;  // "accuracy", "loss", "spearman"
  bool higher_is_better = true;
};

enum class Role { student, teacher };

struct OpenedStudent {
  std::unique_ptr<Model> model;
  bool given = false;  // its weights come from a file: they were trained before
  ModelSummary summary;
};

struct OpenedTeacher {
  TeacherFacts facts;
  std::unique_ptr<Model> model;  // null: it was only outlined, and `open` opens it
  LiveTeacher::Open open;
};

struct ScoreRange {
  double least = 0, largest = 0;
};

class Task {
 public:
  virtual ~Task() = default;

  // Teachers are opened first, then the student, once. Throw Error(usage | missing_input | bad_data) with the
  // place in the recipe; `role` names the teacher there.
  virtual OpenedTeacher open_teacher(const ModelConfig& wanted, const std::string& role) = 0;
  virtual OpenedStudent open_student() = 0;
  // Who asks the live teacher, whose model sees batches in `slice` pieces: by default it is asked itself.
  virtual std::unique_ptr<Teacher> show_to(std::unique_ptr<Teacher> live, std::int64_t /*slice*/) const {
    return live;
  }

  virtual std::unique_ptr<BatchStream> training_stream() const = 0;
  // The training samples in order, `batch` a step; an epoch is a view.
  virtual std::unique_ptr<BatchStream> ordered_stream(std::int64_t batch) const = 0;
  // The training samples as the teacher sees them, clean (nothing is augmented or hidden): one epoch in
  // batches of `batch`. `shuffled`: in an order of the seed.
  virtual std::unique_ptr<BatchStream> survey_stream(std::int64_t batch, bool shuffled) const = 0;
  virtual std::int64_t num_samples() const = 0;            // of one training epoch
  virtual std::int64_t num_measured() const { return 0; }  // in validation and test together
  // Variants in which a sample comes; 0: new ones in every epoch, of which `why_no_views` says why.
  virtual std::int64_t num_views() const { return 0; }
  virtual std::string why_no_views() const { return "every epoch makes new samples"; }
  virtual bool views_of_seed() const { return false; }    // whether runs of other seeds have other variants
  virtual std::int64_t num_classes() const { return 0; }  // of classifiers
  virtual bool labelled() const { return num_classes() > 0; }  // whether its samples say their class
  virtual std::vector<std::string> class_names() const { return {}; }
  virtual std::optional<ScoreRange> scores() const { return std::nullopt; }  // of targets that are scores
  virtual std::string input_text() const { return ""; }  // how samples become numbers: "mean ..., std ..."

  // For losses that read the targets of the training samples: Error(usage | bad_data) where there are none.
  virtual void require_targets() const {}
  // Told once, before the first step, whether any loss looks at the student's logits. What none looks at does
  // not learn; a task whose samples have no labels leaves it out of measures and of the exported model.
  virtual void student_answers_learn(bool /*learn*/) {}

  virtual Headline headline() const = 0;
  virtual bool has_split(const std::string& split) const = 0;  // "validation", "test"
  // Eval mode, no gradient. The split must be there.
  virtual Figures measure(Model& model, const std::string& split) const = 0;
  // The same, with each answer where the task has such.
  virtual ModelAnswers answers(Model& model, const std::string& split, Role /*role*/) const {
    return {.figures = measure(model, split)};
  }
  virtual double latency_ms(Model& model, Role role) const = 0;         // median of one sample at a time
  virtual std::string fingerprint(const std::string& split) const = 0;  // of its samples and their order

  // Samples of a split ("train" too) as one batch, as for measuring.
  virtual Batch samples(const std::string& split, const std::vector<std::int64_t>& indices) const = 0;
  // What a person may look at: pictures of a split, and what the tokens are; null where there are none.
  virtual const ImageSource* pictures(const std::string& /*split*/) const { return nullptr; }
  virtual const Tokenizer* tokenizer() const { return nullptr; }

  // Samples that measures could not read and left out: name -> what was wrong.
  virtual std::map<std::string, std::string> left_out() const { return {}; }
  // Told at the end of a run: what could not be read, counted in what was lost by it. `training`: its stream.
  virtual std::vector<std::string> unread(const BatchStream& training) const;

  // What a run's memory and time are estimated from.
  virtual std::optional<Rehearsal> rehearsal() const { return std::nullopt; }
  // A way to the answers of a student of which only the head trains; null: there is none, `why` says why.
  virtual std::unique_ptr<ShortCut> short_cut(Model& /*student*/, const ModelSummary& /*summary*/,
                                              std::string& /*why*/) const {
    return nullptr;
  }

  // What must not change between a checkpoint and its resume.
  virtual std::map<std::string, std::string> identity() const = 0;
  virtual std::vector<std::string> describe() const = 0;  // lines of the resolved table: the data
  virtual std::string data_report_json(
      const BatchStream& stream) const = 0;  // what each split holds, what was corrupt

  // The student alone, loadable on its own.
  virtual void export_model(const Model& student, const fs::path& folder) const = 0;
};

// "accuracy 71.30 %, loss 0.8312".
std::string figures_text(const Figures& figures);

}  // namespace mgd
