// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/masked_conv_isa.h"
#include "mgd/kernels/masked_conv_tiles.h"

namespace mgd {

MaskedConvKernel<float> masked_conv_float_avx512() {
  return conv_kernel<float>();
}
MaskedConvKernel<Bf16> masked_conv_bf16_avx512() {
  return conv_kernel<Bf16>();
}

}  // namespace mgd
