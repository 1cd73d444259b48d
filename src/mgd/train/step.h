// One optimizer step: plan, forward, losses, backward.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/train/labelled_part.h"
#include "mgd/train/run.h"
#include "mgd/train/term_gradients.h"

namespace mgd {

// Everything random and every count of one step, known before any forward pass.
struct StepPlan {
  std::int64_t step = 0;
  std::vector<std::vector<at::Tensor>> loss_keep;  // [micro][loss]; undefined where a loss has no mask
  std::vector<std::vector<at::Tensor>> node_keep;  // [micro][node mask]
  std::vector<Places> labelled;                    // [micro]
  std::vector<double> counts;                      // [loss], over the whole step
  std::vector<double> weights;                     // [loss], of this epoch
  double progress_frac = 0;                        // of the run
};

struct StepResult {
  double loss = 0;                      // weighted total
  std::map<std::string, double> parts;  // by label, unweighted: sum / count
  std::int64_t samples = 0;
  std::int64_t labelled = 0, correct = 0;  // of the former, in tasks with labels: those with one, and right
  std::vector<std::int64_t> sample_ids;
  // While the terms are measured: those with a weight, with their graphs. The measure itself is `gradients`.
  bool keeps_terms = false;
  std::vector<StepTerm> terms;
  std::vector<TermGradient> gradients;
};

StepPlan plan_step(const Run& run, const StepBatches& batches, std::int64_t step);

// What the run's teachers say, each at its place, and behind them the average of their logits where a loss
// listens to all; one empty record in a run without teachers.
std::vector<Record> teacher_answers(Run& run, const Batch& batch);
// That of the teacher that a loss listens to.
const Record& heard_by(const ActiveLoss& active, const std::vector<Record>& answers);

// `step` is that of the plan `node_keep` comes from: dropout draws by it.
Record student_forward(Run& run, const Batch& batch, std::int64_t step,
                       const std::vector<at::Tensor>& node_keep);

// What the models said of one micro-batch.
struct StepOutput {
  Batch batch;
  Record student;
  std::vector<Record> teachers;  // as teacher_answers() gives them
};

// Weighted total over micro-batch m, already divided by the counts of the whole step: (scalar with gradient).
// Adds this micro-batch's share to `result`. Of a step of several micro-batches, without the losses of
// Scope::step. Undefined when there is nothing to add.
at::Tensor distill_loss(Run& run, const StepPlan& plan, std::size_t m, const StepOutput& output,
                        StepResult& result);

// Whether a step of so many micro-batches has losses that distill_loss leaves out.
bool joins_micro_batches(const Run& run, std::size_t num_micro);

// The weighted total of those, over all micro-batches joined. Their graphs must be there still.
at::Tensor joined_loss(Run& run, const StepPlan& plan, const std::vector<StepOutput>& outputs,
                       StepResult& result);

// The mask of loss i for this input: that of the plan, or the one that its features choose.
at::Tensor mask_of(const Run& run, std::size_t i, const StepPlan& plan, const LossInput& input,
                   const at::Tensor& planned);

// Leaves the gradients of the whole step in the parameters; applies nothing. With a loss of Scope::step the
// graphs of all micro-batches are kept until the last one is there: the memory of one batch.
// measure_terms: StepResult::gradients tells how large the gradient of each loss is, by a pass more over the
// student for each (term_gradients.h): of all micro-batches where they are joined, else of the first one.
StepResult forward_backward(Run& run, const StepBatches& batches, std::int64_t step,
                            bool measure_terms = false);

// Whether this step (0-based) of a training is one in which terms are measured (train.gradient_shares).
bool measures_terms(const Run& run, std::int64_t step);

}  // namespace mgd
