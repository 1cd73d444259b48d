#include "mgd/train/guard.h"

#include <fmt/core.h>

#include <cmath>

namespace mgd {

std::string DivergenceGuard::judge(double loss, double grad_norm) {
  std::string reason;
  const double sigma = std::sqrt(variance);
  if (!std::isfinite(loss)) {
    reason = fmt::format("loss is {}", loss);
  } else if (!std::isfinite(grad_norm)) {
    reason = fmt::format("gradient norm is {}", grad_norm);
  } else if (accepted >= kSpikeWarmupSteps && loss > mean + kSpikeSigmas * sigma && loss > 2 * mean) {
    // Twice the mean as well: late in a smooth run sigma is tiny and ten of it are no spike.
    reason = fmt::format("loss {:.4g} is {:.0f} standard deviations above its mean {:.4g}", loss,
                         (loss - mean) / sigma, mean);
  }
  if (!reason.empty()) {
    ++consecutive_bad;
    return reason;
  }
  consecutive_bad = 0;
  constexpr double kRate = 0.02;
  const double delta = loss - mean;
  if (accepted == 0) {
    mean = loss;
  } else {
    mean += kRate * delta;
    variance = (1 - kRate) * (variance + kRate * delta * delta);
  }
  ++accepted;
  ++updates_since_roll_back;
  return "";
}

}  // namespace mgd
