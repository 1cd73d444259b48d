// One optimizer step: plan, forward, losses, backward.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/train/teacher_forward.h"

namespace mgd {

// Everything random and every count of one step, known before any forward pass.
struct StepPlan {
  std::int64_t step = 0;
  std::vector<std::vector<at::Tensor>> loss_keep;  // [micro][loss]; undefined where a loss has no mask
  std::vector<std::vector<at::Tensor>> node_keep;  // [micro][node mask]
  std::vector<double> counts;                      // [loss], over the whole step
};

struct StepResult {
  double loss = 0;                      // weighted total
  std::map<std::string, double> parts;  // by label, unweighted: sum / count
  std::int64_t samples = 0, correct = 0;
  std::vector<std::int64_t> sample_ids;
};

StepPlan plan_step(const Run& run, const StepBatches& batches, std::int64_t step);

// `step` is that of the plan `node_keep` comes from: dropout draws by it.
Record student_forward(Run& run, const Batch& batch, std::int64_t step,
                       const std::vector<at::Tensor>& node_keep);

// Weighted total of one micro-batch, already divided by the counts of the whole step: (scalar with gradient).
// Adds this micro-batch's share to `result`.
at::Tensor distill_loss(Run& run, const Batch& batch, const Record& student, const Record& teacher,
                        const std::vector<at::Tensor>& keep, const std::vector<double>& counts,
                        StepResult& result);

// Leaves the gradients of the whole step in the parameters; applies nothing.
StepResult forward_backward(Run& run, const StepBatches& batches, std::int64_t step);

}  // namespace mgd
