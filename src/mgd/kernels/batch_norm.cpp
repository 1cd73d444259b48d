#include "mgd/kernels/batch_norm.h"

#include "mgd/kernels/batch_norm_isa.h"

namespace mgd {

BatchNormKernel batch_norm_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return batch_norm_avx512();
  if (isa == Isa::avx2) return batch_norm_avx2();
#endif
  (void)isa;
  return batch_norm_portable();
}

}  // namespace mgd
