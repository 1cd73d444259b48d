// Dense matrix products in float32, by the sgemm of a oneDNN that is installed beside LibTorch.
//
// LibTorch's own products go to MKL, whose kernels for AMD processors leave half of AVX-512 unused (48
// against 110 GMAC/s on a Zen 5 core). Its built-in oneDNN reaches that, but compiles a kernel for every new
// shape, and the number of tokens is another in every step; and its sgemm is not exported.
#pragma once

#include <cstdint>
#include <string>

namespace mgd {

// The library is looked for once. MGD_GEMM=libtorch leaves it out.
bool has_gemm();
std::string gemm_state();  // for `mgd doctor`: "libdnnl.so.2", or why there is none

// A matrix in memory: element (i, j) is at data[i * stride + j], or, transposed, at data[j * stride + i].
struct GemmOperand {
  const float* data = nullptr;
  std::int64_t stride = 0;
  bool transposed = false;
};

// c (m, n), rows `c_stride` apart, = a (m, k) b (k, n) + beta c; with beta 0 what c holds is not read. Any
// size. Needs has_gemm(). As many threads as OpenMP gives; the same number gives the same bits.
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const GemmOperand& a, const GemmOperand& b,
          float beta, float* c, std::int64_t c_stride);

}  // namespace mgd
