// What a training run leaves behind, for comparing runs to the byte.
#pragma once

#include <string>

#include "mgd/train/trainer.h"

namespace mgd::toy {

struct Outcome {
  std::string weights, metrics, optimizer, ema;  // metrics: rows without what depends on the clock
};

Outcome outcome_of(const Run& run, const fs::path& folder);
Outcome train_all(const Config& config, const fs::path& folder,
                  RunFolder::Open open = RunFolder::Open::create, const Host& host = {});

void expect_equal(const Outcome& a, const Outcome& b);

// Trains twice below `folder`: in one go, and stopped after `steps` and gone on with from what lies on the
// disk. Both must end with the same weights and the same optimizer.
void expect_resumed_the_same(const Config& config, const fs::path& folder, std::int64_t steps = 5);

}  // namespace mgd::toy
