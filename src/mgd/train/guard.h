// Watches the loss: steps that are not finite or spike are not applied.
#pragma once

#include <cstdint>
#include <string>

namespace mgd {

// Mean and variance are exponential averages over accepted steps. State is plain so that a checkpoint can
// hold it.
struct DivergenceGuard {
  double mean = 0, variance = 0;
  std::int64_t accepted = 0;
  std::int64_t consecutive_bad = 0;
  std::int64_t rollbacks = 0;
  std::int64_t updates_since_roll_back = 0;  // before the first: updates in all

  static constexpr std::int64_t kBadBeforeRollback = 3;
  static constexpr std::int64_t kMaxRollbacks = 2;
  static constexpr double kSpikeSigmas = 10;
  static constexpr std::int64_t kSpikeWarmupSteps = 50;  // the averages mean nothing before

  // "" when the step may be applied, otherwise why not. `grad_norm` is that of all gradients together.
  std::string judge(double loss, double grad_norm);
};

}  // namespace mgd
