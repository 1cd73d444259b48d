// The training loop, one for every task.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "mgd/train/requests.h"
#include "mgd/train/run.h"
#include "mgd/train/run_folder.h"
#include "mgd/train/term_shares.h"

namespace mgd {

struct Progress {
  std::int64_t step = 0, total_steps = 0, epoch = 0, epochs = 0;
  double loss = 0;
  std::map<std::string, double> parts;
  double throughput = 0;  // samples/s over this process
  double eta_seconds = 0;
  double wait_frac = 0;  // share of the time in which the step waited for data
};

// How the loop speaks; it never prints by itself. Called on the thread that trains; an empty function is
// silence, and what one throws ends the training there.
struct TrainEvents {
  std::function<void(const std::string&)> note;
  std::function<void(const std::string&)> warn;  // something is wrong with the recipe; empty: `note` is told
  std::function<void(const Progress&)> progress;
  std::function<void(std::int64_t step)>
      started;                       // before the first step; `step` > 0 of a run that is resumed
  std::function<void()> progressed;  // the first checkpoint that a step has led to is there
};

struct TrainResult {
  StopReason reason = StopReason::finished;
  std::int64_t steps = 0, samples = 0;
  double seconds = 0, throughput = 0;  // over all resumes; throughput of this process
  std::int64_t best_epoch = -1;        // 1-based; -1: never evaluated
  double best_value = -1;              // of the task's headline figure on the validation part
  double wait_frac = 0;
  std::string resumed_from;  // checkpoint path, "" for a fresh run
  std::int64_t skipped_steps = 0;
  TermShares shares;        // of the gradient, a loss each; empty where they were not measured
  std::string no_gradient;  // what was told of a student that no loss moves; ""
};

struct TrainOptions {
  bool strict = false;                // refuse to fall back to an older checkpoint
  TrainRequests* requests = nullptr;  // the caller's, alive until train() returns; nullptr: nobody asks
};

// Trains run.student until the end, an early stop or a request to stop; the student then holds the weights to
// export (best or last, see train.export_weights). Throws Error(diverged) after repeated roll-backs, and when
// what would be exported, the loss blocks or the averages at the end are not finite. A checkpoint of such
// weights is never written. Signals are the host's: none is handled here.
TrainResult train(Run& run, const RunFolder& folder, const TrainOptions& options = {},
                  const TrainEvents& events = {});

}  // namespace mgd
