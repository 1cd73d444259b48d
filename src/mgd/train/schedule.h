// The learning rate at each optimizer step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mgd {

struct ScheduleOptions {
  std::string name = "cosine";  // constant | step | cosine | linear
  double lr = 0.1;
  std::int64_t total_steps = 1;
  std::int64_t warmup_steps = 0;        // linear from lr / warmup_steps up to lr
  std::vector<double> milestones_frac;  // step: fractions of total_steps
  double gamma = 0.1;                   // step: factor at each milestone
  double final_lr_frac = 0;             // cosine, linear: lr at the end / lr
};

// step: 0-based. Cosine annealing as in Loshchilov & Hutter (SGDR, 2017), one cycle, without restarts.
double learning_rate(const ScheduleOptions& options, std::int64_t step);

}  // namespace mgd
