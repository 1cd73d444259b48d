// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/batch_norm_isa.h"
#include "mgd/kernels/batch_norm_tiles.h"

namespace mgd {

BatchNormKernel batch_norm_avx512() {
  return {moments, apply, grad_sums, input_grad};
}

}  // namespace mgd
