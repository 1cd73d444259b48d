// The loss `kd`, forward and backward, fused and by operators. CPU time of the process on one thread, both
// sides in turns; the median of the rounds and of their ratios counts.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "mgd/ops/allocator.h"
#include "mgd/ops/softmax_kl.h"

namespace {

constexpr double kTemperature = 4;
constexpr std::size_t kRounds = 9;

at::Tensor by_operators(const at::Tensor& student, const at::Tensor& teacher) {
  const at::Tensor log_student = at::log_softmax(student / kTemperature, 1);
  const at::Tensor log_teacher = at::log_softmax(teacher.detach() / kTemperature, 1);
  return at::sum(at::exp(log_teacher) * (log_teacher - log_student)) * (kTemperature * kTemperature);
}

at::Tensor fused(const at::Tensor& student, const at::Tensor& teacher) {
  return mgd::softmax_kl(student, teacher, kTemperature);
}

template <class Loss>
double ms_of(const at::Tensor& student, const at::Tensor& teacher, std::int64_t repeats, const Loss& loss) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
  };
  const double start = now();
  for (std::int64_t i = 0; i < repeats; ++i) {
    student.mutable_grad().reset();
    loss(student, teacher).backward();
  }
  return (now() - start) / static_cast<double>(repeats);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
  return values[kRounds / 2];
}

void measure(std::int64_t rows, std::int64_t classes) {
  const at::Tensor student = at::randn({rows, classes}).set_requires_grad(true),
                   teacher = at::randn({rows, classes});
  const std::int64_t repeats = std::max<std::int64_t>(1, (std::int64_t{1} << 22) / (rows * classes));
  std::vector<double> ours, theirs, ratios;
  for (std::size_t round = 0; round <= kRounds; ++round) {
    const double a = ms_of(student, teacher, repeats, fused),
                 b = ms_of(student, teacher, repeats, by_operators);
    if (round == 0) continue;  // to warm up
    ours.push_back(a);
    theirs.push_back(b);
    ratios.push_back(b / a);
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  fmt::print("{:>4} x {:<6} operators {:>9.3f} ms, fused {:>9.3f} ms, ratio {:.2f} [{:.2f} ... {:.2f}]\n",
             rows, classes, median(theirs), median(ours), median(ratios), *least, *most);
}

}  // namespace

int main() {
  at::set_num_threads(1);
  mgd::use_caching_allocator();
  measure(128, 10);
  measure(256, 1000);
  measure(512, 32000);
}
