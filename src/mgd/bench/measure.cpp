#include <algorithm>
#include <ctime>

#include "mgd/bench/bench.h"
#include "mgd/core/memory.h"
#include "mgd/kernels/peak.h"
#include "mgd/ops/allocator.h"

namespace mgd {

namespace {

double ms_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

double cpu_ms() {
  return ms_of(CLOCK_PROCESS_CPUTIME_ID);
}

double probe_gmacs() {
  constexpr std::int64_t kSteps = 4'000'000;
  const Isa isa = chosen_isa();
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const double start = cpu_ms();
    const auto macs = static_cast<double>(run_peak_probe(isa, kSteps));
    best = std::max(best, macs / (cpu_ms() - start) * 1e-6);
  }
  return best;
}

}  // namespace

BenchResult measure(const Benchmark& benchmark, std::int64_t rounds, std::int64_t warm_ups) {
  const BenchCase bench = benchmark.make();
  BenchResult result{.ms = {}, .wall_ms = {}, .macs = bench.macs, .samples = bench.samples};
  for (std::int64_t i = 0; i < warm_ups; ++i) bench.run();
  const double before = probe_gmacs();
  const std::uint64_t faults = page_faults();
  restart_allocator_peak();
  const std::uint64_t live = allocator_stats().live_bytes;
  for (std::int64_t i = 0; i < rounds; ++i) {
    const double start = cpu_ms(), wall_start = ms_of(CLOCK_MONOTONIC);
    bench.run();
    result.ms.push_back(cpu_ms() - start);
    result.wall_ms.push_back(ms_of(CLOCK_MONOTONIC) - wall_start);
  }
  result.page_faults = static_cast<double>(page_faults() - faults) / static_cast<double>(rounds);
  result.peak_mib = static_cast<double>(allocator_stats().peak_live_bytes - live) / (1 << 20);
  const double after = probe_gmacs();
  result.peak_gmacs = std::max(before, after);
  result.probe_spread = std::min(before, after) / result.peak_gmacs;
  return result;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace mgd
