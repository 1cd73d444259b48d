// The kernels of each instruction set, for the list in softmax_kl.cpp.
#pragma once

#include "mgd/kernels/softmax_kl.h"

namespace mgd {

SoftmaxKlKernel softmax_kl_portable();
#if defined(__x86_64__)
SoftmaxKlKernel softmax_kl_avx2();
SoftmaxKlKernel softmax_kl_avx512();
#endif

}  // namespace mgd
