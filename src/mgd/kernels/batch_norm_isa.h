// The batch norm kernels of each instruction set, for the list in batch_norm.cpp.
#pragma once

#include "mgd/kernels/batch_norm.h"

namespace mgd {

BatchNormKernel batch_norm_portable();
#if defined(__x86_64__)
BatchNormKernel batch_norm_avx2();
BatchNormKernel batch_norm_avx512();
#endif

}  // namespace mgd
