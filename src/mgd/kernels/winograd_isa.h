// Winograd's transforms of each instruction set, for the list in winograd.cpp.
#pragma once

#include "mgd/kernels/winograd.h"

namespace mgd {

WinogradKernel winograd_portable();
#if defined(__x86_64__)
WinogradKernel winograd_avx2();
WinogradKernel winograd_avx512();
#endif

}  // namespace mgd
