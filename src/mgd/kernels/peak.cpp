#include "mgd/kernels/peak.h"

#include "mgd/kernels/peak_isa.h"

namespace mgd {

std::int64_t run_peak_probe(Isa isa, std::int64_t steps) {
#if defined(__x86_64__)
  if (isa >= Isa::avx512) return peak_probe_avx512(steps);
  if (isa == Isa::avx2) return peak_probe_avx2(steps);
#endif
  (void)isa;
  return peak_probe_portable(steps);
}

}  // namespace mgd
