// The attention kernels of each instruction set, for the list in attention.cpp.
#pragma once

#include "mgd/kernels/attention.h"

namespace mgd {

AttentionKernel<float> attention_float_portable();
AttentionKernel<Bf16> attention_bf16_portable();
#if defined(__x86_64__)
AttentionKernel<float> attention_float_avx2();
AttentionKernel<Bf16> attention_bf16_avx2();
AttentionKernel<float> attention_float_avx512();
AttentionKernel<Bf16> attention_bf16_avx512();
#endif

}  // namespace mgd
