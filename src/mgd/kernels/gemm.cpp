#include "mgd/kernels/gemm.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string_view>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// dnnl.h: dnnl_status_t dnnl_sgemm(transa, transb, M, N, K, alpha, A, lda, B, ldb, beta, C, ldc), row-major.
using Sgemm = int (*)(char, char, std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t,
                      const float*, std::int64_t, float, float*, std::int64_t);

struct Found {
  Sgemm sgemm = nullptr;
  std::string state;
};

Found find_sgemm() {
  const char* wanted = std::getenv("MGD_GEMM");
  if (wanted != nullptr && std::string_view(wanted) == "libtorch") return {nullptr, "off: MGD_GEMM=libtorch"};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return {nullptr, "off: the sanitizer does not allow it"};
#else
  for (const char* name : {"libdnnl.so.2", "libdnnl.so.3"}) {
    // Bound to its own symbols first: LibTorch carries another version whose inline functions have the same
    // names.
    void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == nullptr) continue;
    auto* sgemm = reinterpret_cast<Sgemm>(dlsym(library, "dnnl_sgemm"));
    if (sgemm != nullptr) return {sgemm, name};
  }
  return {nullptr, "none; with Debian's package libdnnl2 float32 products of Transformers may be faster"};
#endif
}

const Found& found() {
  static const Found one = find_sgemm();
  return one;
}

}  // namespace

bool has_gemm() {
  return found().sgemm != nullptr;
}

std::string gemm_state() {
  return found().state;
}

void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const GemmOperand& a, const GemmOperand& b,
          float beta, float* c, std::int64_t c_stride) {
  if (m == 0 || n == 0) return;
  if (k == 0) {  // the empty sum, which sgemm refuses
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * c_stride + j] = beta == 0 ? 0 : beta * c[i * c_stride + j];
    return;
  }
  const auto letter = [](const GemmOperand& x) { return x.transposed ? 'T' : 'N'; };
  const int status = found().sgemm(letter(a), letter(b), m, n, k, 1.0F, a.data, a.stride, b.data, b.stride,
                                   beta, c, c_stride);
  MGD_ASSERT(status == 0);
}

}  // namespace mgd
