// The benchmarks of each file, for the list in all_benchmarks.cpp.
#pragma once

#include "mgd/bench/bench.h"

namespace mgd {

std::vector<Benchmark> attention_benchmarks();
std::vector<Benchmark> lm_head_benchmarks();
std::vector<Benchmark> mlm_benchmarks();
std::vector<Benchmark> teacher_benchmarks();
std::vector<Benchmark> distill_benchmarks();
std::vector<Benchmark> block_benchmarks();

std::vector<Benchmark> attention_curves();
std::vector<Benchmark> convolution_curves();
std::vector<Benchmark> row_curves();
std::vector<Benchmark> head_curve();
std::vector<Benchmark> padding_curve();
std::vector<Benchmark> cache_curve();

}  // namespace mgd
