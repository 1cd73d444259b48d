// The kernels of each instruction set, for the list in resample.cpp.
#pragma once

#include "mgd/kernels/resample.h"

namespace mgd {

ResampleKernel resample_portable();
#if defined(__x86_64__)
ResampleKernel resample_avx2();
#endif

}  // namespace mgd
