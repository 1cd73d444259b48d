#include "mgd/bench/lists.h"

namespace mgd {

std::vector<Benchmark> all_benchmarks() {
  std::vector<Benchmark> all;
  for (const auto& list : {block_benchmarks, attention_benchmarks, lm_head_benchmarks, mlm_benchmarks,
                           teacher_benchmarks, distill_benchmarks, attention_curves, convolution_curves,
                           row_curves, head_curve, padding_curve, cache_curve})
    for (Benchmark& benchmark : list()) all.push_back(std::move(benchmark));
  return all;
}

}  // namespace mgd
