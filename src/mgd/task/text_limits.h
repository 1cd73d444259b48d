// What can be known of texts before the first step.
#pragma once

#include <string>

#include "mgd/data/text_dataset.h"
#include "mgd/format/config.h"
#include "mgd/model/text_model.h"

namespace mgd {

// Texts alone can be read, but nothing be learned of them: Error(usage) where a task's targets are missing,
// Error(bad_data) for fewer than two classes.
void require_targets(const Config& config, const TextDataset& data);

// Whether it holds pairs with scores.
bool has_scores(const TextSource& source);

// Error(usage) where a sequence of any split is longer than the model's table of positions, with the length
// to write.
void check_lengths(const Config& config, const TextDataset& data, const TextModel& model,
                   const std::string& role);

}  // namespace mgd
