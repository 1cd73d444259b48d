#include "mgd/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mgd {

double learning_rate(const ScheduleOptions& o, std::int64_t step) {
  if (step < o.warmup_steps)
    return o.lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup_steps);
  const auto span = static_cast<double>(std::max<std::int64_t>(o.total_steps - o.warmup_steps, 1));
  const double progress = std::min(static_cast<double>(step - o.warmup_steps) / span, 1.0);
  const double final_lr = o.lr * o.final_lr_frac;
  if (o.name == "cosine")
    return final_lr + 0.5 * (o.lr - final_lr) * (1 + std::cos(std::numbers::pi * progress));
  if (o.name == "linear") return o.lr + (final_lr - o.lr) * progress;
  if (o.name == "step") {
    double lr = o.lr;
    for (double milestone : o.milestones_frac)
      if (static_cast<double>(step) >= milestone * static_cast<double>(o.total_steps)) lr *= o.gamma;
    return lr;
  }
  return o.lr;
}

}  // namespace mgd
