#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/clock.h"
#include "mgd/eval/classify.h"

namespace mgd {
namespace {

constexpr int kWarmUps = 5;  // the first passes pay for memory, kernel choice and cold caches

double one_pass_ms(ImageModel& model, const at::Tensor& input) {
  const double start = now_seconds();
  Forward forward(false);
  model.forward(input, forward).to(at::kCPU);  // reading the answer back waits for an accelerator
  return 1e3 * (now_seconds() - start);
}

}  // namespace

Latency measure_latency(ImageModel& model, std::int64_t height, std::int64_t width, int runs) {
  Latency latency;
  if (runs <= 0) return latency;
  const at::NoGradGuard no_grad;
  const auto parameters = model.parameters();
  const at::Device device = parameters.empty() ? at::Device(at::kCPU) : parameters.front().tensor.device();
  const at::Tensor input = at::zeros({1, model.spec().in_channels, height, width}, at::kFloat).to(device);
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
