// The probes of each instruction set, for the list in peak.cpp.
#pragma once

#include <cstdint>

namespace mgd {

std::int64_t peak_probe_portable(std::int64_t steps);
#if defined(__x86_64__)
std::int64_t peak_probe_avx2(std::int64_t steps);
std::int64_t peak_probe_avx512(std::int64_t steps);
#endif

}  // namespace mgd
