// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/peak_isa.h"
#include "mgd/kernels/peak_loop.h"

namespace mgd {

std::int64_t peak_probe_portable(std::int64_t steps) {
  return peak_probe(steps);
}

}  // namespace mgd
