#include "mgd/bench/bench.h"

#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/kernels/isa.h"
#include "mgd/ops/allocator.h"

namespace mgd {

namespace {

struct BenchFlags {
  std::int64_t rounds = 7, warm_ups = 2, threads = 1;
  std::string allocator = "caching";
  bool json = false, list = false;
  void visit(OptionVisitor& v) {
    v.option("rounds", rounds, {.help = "timed runs of each", .min = 1});
    v.option("warm_ups", warm_ups, {.help = "runs before those", .min = 0});
    v.option("threads", threads, {.help = "of the arithmetic; 0 = all cores", .min = 0, .max = 1024});
    v.option("allocator", allocator, {.help = "of tensors", .choices = {"caching", "system"}});
    v.option("list", list, {.help = "only name them"});
    v.option("json", json, {.help = "one JSON object a benchmark"});
  }
};

// "attention" stands for all of attention/...
std::vector<Benchmark> chosen(const std::vector<std::string>& names) {
  std::vector<Benchmark> all = all_benchmarks();
  if (names.empty()) {
    std::erase_if(all, [](const Benchmark& benchmark) { return benchmark.curve; });
    return all;
  }
  std::vector<Benchmark> found;
  std::vector<std::string> known;
  for (const Benchmark& benchmark : all) known.push_back(benchmark.name);
  for (const std::string& name : names) {
    const std::size_t before = found.size();
    for (const Benchmark& benchmark : all)
      if (benchmark.name == name || benchmark.name.starts_with(name + "/")) found.push_back(benchmark);
    if (found.size() == before)
      fail(ExitCode::usage, "bench: got '{}'{}", printable(name), suggestion(name, known));
  }
  return found;
}

void print_json(const Benchmark& benchmark, const BenchResult& result) {
  const double ms = median(result.ms);
  fmt::print("{}\n", nlohmann::ordered_json{{"name", benchmark.name},
                                            {"ms", result.ms},
                                            {"wall_ms", result.wall_ms},
                                            {"gmacs", result.macs / ms * 1e-6},
                                            {"peak_gmacs", result.peak_gmacs},
                                            {"probe_spread", result.probe_spread},
                                            {"page_faults", result.page_faults},
                                            {"peak_mib", result.peak_mib}}
                         .dump());
}

void print_row(const Benchmark& benchmark, const BenchResult& result) {
  const double ms = median(result.ms), gmacs = result.macs / ms * 1e-6;
  const auto [least, most] = std::minmax_element(result.ms.begin(), result.ms.end());
  fmt::print("{:<31} {:>8.1f} {:>17} {:>7.1f} {:>6.0f} {:>5.0f}{}\n", benchmark.name, ms,
             fmt::format("[{0:.{2}f} ... {1:.{2}f}]", *least, *most, *most < 1000 ? 1 : 0), gmacs,
             100 * gmacs / result.peak_gmacs, result.page_faults, result.probe_spread < 0.93 ? " *" : "");
}

int run_bench(const std::vector<std::string>& names, const BenchFlags& flags) {
  const std::vector<Benchmark> benchmarks = chosen(names);
  if (flags.list) {
    for (const Benchmark& benchmark : benchmarks) fmt::print("{:<31} {}\n", benchmark.name, benchmark.what);
    return 0;
  }
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  if (flags.allocator == "system") use_system_allocator();
  if (!flags.json)
    fmt::print("{:<31} {:>8} {:>17} {:>7} {:>6} {:>5}\n", "CPU time", "ms", "[least ... most]", "GMAC/s",
               "% peak", "flts");
  bool disturbed = false;
  for (const Benchmark& benchmark : benchmarks) {
    const BenchResult result = measure(benchmark, flags.rounds, flags.warm_ups);
    disturbed |= result.probe_spread < 0.93;
    flags.json ? print_json(benchmark, result) : print_row(benchmark, result);
    std::fflush(stdout);
  }
  if (!flags.json) {
    for (const IsaState& state : isa_states())
      if (state.reason.empty()) fmt::print("\nkernels: {}; ", state.name);
    fmt::print(
        "multiply-accumulates that are needed, % of float32 multiply-adds in\nregisters of one thread; flts: "
        "page faults a run\n");
    if (disturbed) fmt::print("* the probe before and after differ by more than 7 %: measure again\n");
  }
  return 0;
}

}  // namespace

Verb bench_verb() {
  auto flags = std::make_shared<BenchFlags>();
  return {.name = "bench",
          .help = "times kernels and steps; only work that is needed counts",
          .example = "mgd bench attention --rounds 3",
          .positional_name = "[NAME ...]",
          .positional_help = "which ones, e.g. attention or attention/causal; all by default",
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& names) { return run_bench(names, *flags); }};
}

}  // namespace mgd
