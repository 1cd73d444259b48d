// Times the parts of one distillation step on random data: mgd_bench [BATCH_SIZE]. Milliseconds of CPU time
// of the whole process, because wall time on a shared machine measures the neighbours; the median of several
// rounds.
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <numeric>

#include "mgd/loss/loss.h"
#include "mgd/mask/sampler.h"
#include "mgd/model/image_model.h"

namespace {

double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

void report(const char* name, std::int64_t batch, std::int64_t macs, const std::function<void()>& work) {
  constexpr int kRounds = 7;
  work();  // warms caches and the allocator
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const double start = cpu_ms();
    work();
    times.push_back(cpu_ms() - start);
  }
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  const double ms = times[kRounds / 2];
  fmt::print("{:<34}{:>10.2f} ms{:>12.0f} samples/s", name, ms, static_cast<double>(batch) * 1e3 / ms);
  if (macs > 0) fmt::print("{:>8.1f} GMAC/s", static_cast<double>(macs) / ms * 1e-6);
  fmt::print("\n");
}

mgd::ModelOutput run(mgd::ImageModel& model, const at::Tensor& input, bool training,
                     std::int64_t* macs = nullptr) {
  mgd::Forward forward(training);
  forward.capture(model.default_tap());
  const at::Tensor logits = model.forward(input, forward);
  if (macs != nullptr) *macs = forward.macs();
  return {.logits = logits, .taps = forward.captured()};
}

mgd::TapShapes shapes(const mgd::Features& taps) {
  mgd::TapShapes result;
  for (const auto& [name, map] : taps) result[name] = map.sizes().slice(1).vec();
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t size = argc > 1 ? std::max(1, std::atoi(argv[1])) : 128;
  const auto student = mgd::make_model({.architecture = "cifar_resnet8"}, /*seed=*/1);
  const auto teacher = mgd::make_model({.architecture = "cifar_resnet56"}, /*seed=*/2);
  mgd::Batch batch{.input = at::randn({size, 3, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast),
                   .target = at::zeros({size}, at::kLong),
                   .target_probs = {},
                   .sample_ids = std::vector<std::int64_t>(static_cast<std::size_t>(size))};
  std::iota(batch.sample_ids.begin(), batch.sample_ids.end(), 0);

  std::int64_t teacher_macs = 0, student_macs = 0;
  mgd::ModelOutput t, s;
  {
    const at::NoGradGuard no_grad;
    t = run(*teacher, batch.input, false, &teacher_macs);
    report("teacher forward (cifar_resnet56)", size, teacher_macs,
           [&] { t = run(*teacher, batch.input, false); });
  }
  s = run(*student, batch.input, true, &student_macs);
  report("student forward (cifar_resnet8)", size, student_macs,
         [&] { s = run(*student, batch.input, true); });
  // A backward pass does the work of two forward passes.
  report("student forward + backward", size, 3 * student_macs,
         [&] { run(*student, batch.input, true).logits.sum().backward(); });

  const auto sampler = mgd::make_sampler({});
  const auto losses = mgd::make_losses(mgd::parse_yaml("{name: mgd}", "bench"),
                                       {.student = shapes(s.taps),
                                        .teacher = shapes(t.taps),
                                        .student_default_tap = student->default_tap(),
                                        .teacher_default_tap = teacher->default_tap(),
                                        .num_classes = 10,
                                        .seed = 1});
  const at::Tensor keep = sampler->sample(shapes(t.taps).begin()->second, 0.5,
                                          {mgd::random_key(1, "mask/mgd"), 0, batch.sample_ids});
  for (auto& [name, map] : s.taps) map = map.detach().requires_grad_();
  report("mgd loss forward + backward", size, 0, [&] {
    losses.at(0)->sum({batch, s.logits, t.logits, s.taps, t.taps, keep}).backward();
  });
  return 0;
}
