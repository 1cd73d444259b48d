#include "mgd/kernels/resample.h"

#include "mgd/kernels/resample_isa.h"

namespace mgd {

ResampleKernel resample_kernel(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::avx2) return resample_avx2();
#endif
  (void)isa;
  return resample_portable();
}

}  // namespace mgd
