// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/masked_conv_isa.h"
#include "mgd/kernels/masked_conv_tiles.h"

namespace mgd {

MaskedConvKernel masked_conv_portable() {
  return {product, weight_gradient};
}

}  // namespace mgd
