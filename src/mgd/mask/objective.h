// What a text model is to predict, and what of the text it does not get to see.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mgd/format/text_data_config.h"
#include "mgd/mask/token_roles.h"
#include "mgd/types/batch.h"
#include "mgd/types/text_sample.h"

namespace mgd {

class Objective {
 public:
  virtual ~Objective() = default;
  // One micro-batch, on the CPU. A function of (seed, epoch, samples) in which each sample is treated by
  // itself: how samples are cut into micro-batches changes nothing. No sample with a target: `target` has 0
  // rows. Thread-safe.
  virtual Batch make(std::span<const TextSample> samples, std::int64_t epoch) const = 0;
};

// The objective of a task:
//   mlm       hidden tokens from what is left of the text (Devlin et al., BERT, 2019): `target` is (n) ids,
//             `target_rows` their rows of `tokens`
//   clm       each token from those before it in its document: `tokens` is the text, `target` the next ids
//   denoise   the text from a damaged one (BART): `tokens` is damaged, `decoder_tokens` the text shifted
//             right, `target` (n) the text; target_rows is undefined: every row of `decoder_tokens`
//   classify  `target` (B) is the label
//   embed     `target` (B) float is the score; a pair is the sequences 2 i and 2 i + 1 of `tokens`
// Throws Error(usage) when the vocabulary lacks a token that the task needs, and for another task.
std::unique_ptr<Objective> make_objective(const std::string& task, const ObjectiveConfig& config,
                                          TokenRoles roles, std::uint64_t seed);
std::vector<std::string> known_objectives();
bool draws_masks(const std::string& task);  // whether what is hidden of a sample differs from epoch to epoch

// The same for measuring: the masks do not depend on the run's seed or epoch, so that figures of several runs
// and epochs are of the same hidden tokens.
std::unique_ptr<Objective> make_eval_objective(const std::string& task, ObjectiveConfig config,
                                               TokenRoles roles);

}  // namespace mgd
