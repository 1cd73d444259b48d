#include "mgd/kernels/softmax_kl.h"

#include "mgd/kernels/softmax_kl_isa.h"

namespace mgd {

SoftmaxKlKernel softmax_kl_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return softmax_kl_avx512();
  if (isa == Isa::avx2) return softmax_kl_avx2();
#endif
  (void)isa;
  return softmax_kl_portable();
}

}  // namespace mgd
