// The masked convolution of each instruction set, for the lists in masked_conv.cpp.
#pragma once

#include "mgd/kernels/masked_conv.h"

namespace mgd {

MaskedConvKernel<float> masked_conv_float_portable();
MaskedConvKernel<Bf16> masked_conv_bf16_portable();
#if defined(__x86_64__)
MaskedConvKernel<float> masked_conv_float_avx2();
MaskedConvKernel<Bf16> masked_conv_bf16_avx2();
MaskedConvKernel<float> masked_conv_float_avx512();
MaskedConvKernel<Bf16> masked_conv_bf16_avx512();
MaskedConvKernel<Bf16> masked_conv_bf16_avx512bf16();
#endif

}  // namespace mgd
