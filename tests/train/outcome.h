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

}  // namespace mgd::toy
