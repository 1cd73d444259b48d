#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/clock.h"
#include "mgd/eval/classify.h"

namespace mgd {
namespace {

constexpr int kWarmUps = 5;  // the first passes pay for memory, kernel choice and cold caches

double one_pass_ms(Model& model, const Batch& sample) {
  const double start = now_seconds();
  Forward forward(false);
  record_to(model.run(sample, forward), at::kCPU);  // reading the answer back waits for an accelerator
  return 1e3 * (now_seconds() - start);
}

}  // namespace

Latency measure_latency(Model& model, const Batch& sample, int runs) {
  Latency latency;
  if (runs <= 0) return latency;
  const at::NoGradGuard no_grad;
  const auto parameters = model.parameters();
  const at::Device device = parameters.empty() ? at::Device(at::kCPU) : parameters.front().tensor.device();
  const Batch input = batch_to(sample, device);
  for (int i = 0; i < kWarmUps; ++i) one_pass_ms(model, input);
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) times.push_back(one_pass_ms(model, input));
  std::sort(times.begin(), times.end());
  const auto quantile = [&](double q) {  // nearest rank
    return times[static_cast<std::size_t>(std::ceil(q * runs)) - 1];
  };
  latency.median_ms = quantile(0.5);
  latency.p90_ms = quantile(0.9);
  latency.runs = runs;
  return latency;
}

}  // namespace mgd
