// Mixed precision for a scope: matrix products and convolutions run in bfloat16, sums and norms stay in
// float.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>

namespace mgd {

// Switches autocast to bfloat16 on or off for one device type, and restores what was before, on every way
// out. Autocast keeps the cast copies of weights until the outermost guard ends: a guard must therefore not
// outlive an optimizer step, or the next forward pass would use the old weights.
class AutocastGuard {
 public:
  AutocastGuard(bool enabled, at::Device device);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  at::DeviceType device_;
  bool previous_enabled_;
  at::ScalarType previous_dtype_;
};

// "fp32" -> false, "bf16" -> true. Throws Error(usage) naming both.
bool autocast_wanted(const std::string& precision);

}  // namespace mgd
