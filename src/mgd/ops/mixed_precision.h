// Whether autocast is on. nn/autocast.h switches it, stands above, and its header is heavy.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace mgd {

inline bool cpu_autocast() {
  return !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutocastCPU);
}

inline bool in_autocast(at::Device device) {
  return device.is_cpu() ? cpu_autocast()
                         : !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutocastCUDA);
}

}  // namespace mgd
