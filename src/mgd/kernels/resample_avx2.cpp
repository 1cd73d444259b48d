// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/resample_isa.h"
#include "mgd/kernels/resample_tiles.h"

namespace mgd {

ResampleKernel resample_avx2() {
  return {along_rows, along_columns};
}

}  // namespace mgd
