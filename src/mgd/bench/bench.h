// Benchmarks by name: what is timed, how much useful work it is, and the timing itself.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mgd {

// Ready to run: whatever it needs lives in `run`.
struct BenchCase {
  std::function<void()> run;
  double macs = 0;     // multiply-accumulates that somebody needs: what a mask hides does not count
  double samples = 0;  // 0: none to speak of
};

struct Benchmark {
  std::string name;  // "attention/causal"; bench/peers has the same names
  std::string what;
  std::function<BenchCase()> make;
  bool curve = false;  // a point of a curve: runs only when it is named
};

// All of them, in the order of the table.
std::vector<Benchmark> all_benchmarks();

// CPU time of the whole process: wall time on a shared machine measures the neighbours. Only what several
// threads win shows in the latter alone.
struct BenchResult {
  std::vector<double> ms, wall_ms;  // of each round
  double macs = 0, samples = 0;
  double page_faults = 0;   // of a round, mean
  double peak_mib = 0;      // of tensors at their highest above what was there before; 0: not known
  double peak_gmacs = 0;    // what the probe reached on one thread, GMAC/s, the better of before and after
  double probe_spread = 1;  // the worse probe / the better: below 0.93 the machine was not itself
};
BenchResult measure(const Benchmark& benchmark, std::int64_t rounds, std::int64_t warm_ups);

double median(std::vector<double> values);  // of at least one

}  // namespace mgd
