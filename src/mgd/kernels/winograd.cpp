#include "mgd/kernels/winograd.h"

#include "mgd/kernels/winograd_isa.h"

namespace mgd {

WinogradKernel winograd_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return winograd_avx512();
  if (isa == Isa::avx2) return winograd_avx2();
#endif
  (void)isa;
  return winograd_portable();
}

}  // namespace mgd
