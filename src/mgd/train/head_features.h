// What a frozen body says of each picture, kept in memory: a head that trains alone then sees every picture's
// features without the body being run again.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgd/eval/figures.h"
#include "mgd/types/batch.h"

namespace mgd {

struct Run;
class Linear;
class Dropout;

class HeadFeatures {
 public:
  // Null where features are not the same each time or do not suffice: `why` then says so, "" when the head
  // does not train alone anyway. They suffice when nothing but the logits of the student is looked at, and
  // are the same when its pictures come in a number of views (Task::num_views) and the body, in evaluation
  // mode, draws nothing.
  static std::unique_ptr<HeadFeatures> open(Run& run, std::string& why);

  // The training pass of the head alone, for run.student's on this batch (batch.view is set).
  Record forward(Run& run, const Batch& batch, std::int64_t step);
  // As Task::measure of the student.
  Figures measure(const Run& run, const std::string& split);

  std::string describe() const;

 private:
  HeadFeatures(Run& run, std::string path);
  at::Tensor features_of(Run& run, const Batch& batch);  // (B, F)
  void compute(Run& run, const Batch& batch, const std::vector<std::int64_t>& places);

  struct Split {
    at::Tensor features;  // (N, F)
    std::vector<std::int64_t> labels;
  };
  const std::string path_;  // of the head
  Linear* head_;
  std::vector<Dropout*> drops_;  // right before the head, in their order
  std::int64_t num_samples_;
  at::Tensor features_;      // (views * N, F); undefined before the first batch
  std::vector<bool> known_;  // views * N
  std::map<std::string, Split> splits_;
};

}  // namespace mgd
