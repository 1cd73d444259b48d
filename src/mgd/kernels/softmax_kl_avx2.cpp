// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/softmax_kl_isa.h"
#include "mgd/kernels/softmax_kl_tiles.h"

namespace mgd {

SoftmaxKlKernel softmax_kl_avx2() {
  return {row, bins};
}

}  // namespace mgd
