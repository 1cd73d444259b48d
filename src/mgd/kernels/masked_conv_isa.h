// The masked convolution of each instruction set, for the list in masked_conv.cpp.
#pragma once

#include "mgd/kernels/masked_conv.h"

namespace mgd {

MaskedConvKernel masked_conv_portable();
#if defined(__x86_64__)
MaskedConvKernel masked_conv_avx2();
MaskedConvKernel masked_conv_avx512();
#endif

}  // namespace mgd
