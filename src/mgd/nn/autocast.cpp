#include "mgd/nn/autocast.h"

#include <ATen/autocast_mode.h>  // the heaviest header of the floor (it drags in every operator): only here

#include "mgd/core/error.h"

namespace mgd {

AutocastGuard::AutocastGuard(bool enabled, at::Device device)
    : device_(device.type()),
      previous_enabled_(at::autocast::is_autocast_enabled(device_)),
      previous_dtype_(at::autocast::get_autocast_dtype(device_)) {
  at::autocast::increment_nesting();
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::set_autocast_enabled(device_, enabled);
}

AutocastGuard::~AutocastGuard() {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_dtype(device_, previous_dtype_);
  at::autocast::set_autocast_enabled(device_, previous_enabled_);
}

bool autocast_wanted(const std::string& precision) {
  if (precision == "bf16") return true;
  if (precision != "fp32") {
    fail(ExitCode::usage, "precision: got '{}', expected fp32 or bf16{}", precision,
         suggestion(precision, {"fp32", "bf16"}));
  }
  return false;
}

}  // namespace mgd
