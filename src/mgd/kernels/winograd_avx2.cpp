// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/winograd_isa.h"
#include "mgd/kernels/winograd_tiles.h"

namespace mgd {

WinogradKernel winograd_avx2() {
  return {input, grad_output, output, filter, grad_filter, multiply_planes, multiply_transposed};
}

}  // namespace mgd
