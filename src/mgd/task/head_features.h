// What a frozen body says of each picture, kept in memory: a head that trains alone then sees every picture's
// features without the body being run again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mgd/eval/classify.h"
#include "mgd/eval/summary.h"
#include "mgd/task/short_cut.h"

namespace mgd {

class Linear;
class Dropout;

struct HeadFeaturesOptions {
  Model& student;
  const ModelSummary& summary;
  std::string head;                             // path of the layer that gives the logits
  std::int64_t num_samples = 0, num_views = 0;  // of the training stream
  std::uint64_t seed = 1;                       // of the run
  bool bf16 = false, winograd = false;
  at::Device device = at::kCPU;
  // Of a split, with what the head is given.
  std::function<Answers(const std::string& split, const std::string& head)> answers;
};

class HeadFeatures final : public ShortCut {
 public:
  // Null where features are not the same each time or do not suffice: `why` then says so. They are the same
  // when pictures come in a number of views and the body, in evaluation mode, draws nothing.
  static std::unique_ptr<HeadFeatures> open(const HeadFeaturesOptions& options, std::string& why);

  Record forward(const Batch& batch, std::int64_t step) override;
  Figures measure(const std::string& split) override;
  std::string describe() const override;

 private:
  explicit HeadFeatures(const HeadFeaturesOptions& options);
  at::Tensor features_of(const Batch& batch);  // (B, F)
  void compute(const Batch& batch, const std::vector<std::int64_t>& places);

  struct Split {
    at::Tensor features;  // (N, F)
    std::vector<std::int64_t> labels;
  };
  const HeadFeaturesOptions options_;
  Linear* head_;
  std::vector<Dropout*> drops_;  // right before the head, in their order
  at::Tensor features_;          // (views * N, F); undefined before the first batch
  std::vector<bool> known_;      // views * N
  std::map<std::string, Split> splits_;
};

}  // namespace mgd
