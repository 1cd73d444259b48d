// Checkpoints: everything a run needs to go on exactly where it was.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mgd/core/file.h"
#include "mgd/io/weights.h"
#include "mgd/train/guard.h"
#include "mgd/train/no_gradient.h"
#include "mgd/train/term_shares.h"

namespace mgd {

struct Checkpoint {
  std::int64_t step = 0;  // optimizer steps done
  std::int64_t samples = 0;
  double seconds = 0;               // training time so far, over all resumes
  std::uint64_t metrics_bytes = 0;  // length of metrics.jsonl at this moment: later rows are cut on resume
  DivergenceGuard guard;
  std::int64_t best_epoch = -1;
  double best_value = -1;  // of the task's headline figure; meaningless before the first evaluation
  std::int64_t evaluations_without_better = 0;
  TermShares shares;
  NoGradient no_gradient;
  std::vector<std::string> skipped_steps;  // "step 17: loss is nan; samples 3, 9, ..."
  std::map<std::string, std::string>
      identity;       // what must not change on resume: student, teacher, data, losses, ...
  TensorMap trained;  // student state and everything trained with it
  TensorMap optimizer;
  TensorMap ema;   // empty when off
  TensorMap best;  // student state of the best evaluation; empty before the first
};

// Publishes `folder`/step-NNNNNNNN atomically, then removes all but the newest `keep`.
void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, int keep = 2);

struct FoundCheckpoint {
  Checkpoint checkpoint;
  fs::path path;
  std::vector<std::string> skipped;  // newer ones that did not verify, each with the reason
};
// The newest that verifies; nullopt when there is none. Throws Error(bad_data) when some exist and none
// verifies; with `strict` already when the newest does not.
std::optional<FoundCheckpoint> load_newest_checkpoint(const fs::path& folder, bool strict = false);

// Throws Error(usage) listing every key whose value differs.
void require_same_identity(const std::map<std::string, std::string>& stored,
                           const std::map<std::string, std::string>& now, const std::string& where);

}  // namespace mgd
