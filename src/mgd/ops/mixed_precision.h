// Whether autocast is on for the CPU. nn/autocast.h switches it, stands above, and its header is heavy.
#pragma once

#include <c10/core/impl/LocalDispatchKeySet.h>

namespace mgd {

inline bool cpu_autocast() {
  return !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutocastCPU);
}

}  // namespace mgd
