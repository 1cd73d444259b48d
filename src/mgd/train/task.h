// What differs between the tasks of the one training loop: where batches come from, how a model is measured,
// and in what form it leaves.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgd/core/file.h"
#include "mgd/data/batch_stream.h"
#include "mgd/eval/figures.h"
#include "mgd/model/model.h"

namespace mgd {

double figure(const Figures& figures, const std::string& name);  // NaN when it is not there

// The figure that decides which weights are the best.
struct Headline {
  std::string name;  // "accuracy", "loss", "spearman"
  bool higher_is_better = true;
};

class Task {
 public:
  virtual ~Task() = default;

  virtual std::unique_ptr<BatchStream> training_stream() const = 0;
  virtual std::int64_t num_samples() const = 0;            // of one training epoch
  virtual std::int64_t num_measured() const { return 0; }  // in validation and test together
  // Variants in which a sample comes; 0: new ones in every epoch.
  virtual std::int64_t num_views() const { return 0; }
  virtual std::int64_t num_classes() const { return 0; }  // of classifiers

  // For losses that read the targets of the training samples: Error(usage) where there are none.
  virtual void require_targets() const {}

  virtual Headline headline() const = 0;
  virtual bool has_split(const std::string& split) const = 0;  // "validation", "test"
  // Eval mode, no gradient. The split must be there.
  virtual Figures measure(Model& model, const std::string& split) const = 0;
  virtual double latency_ms(Model& model) const = 0;  // median of one sample at a time
  virtual double teacher_latency_ms(Model& teacher) const { return latency_ms(teacher); }

  // Samples that measures could not read and left out: name -> what was wrong.
  virtual std::map<std::string, std::string> left_out() const { return {}; }

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
