// The instruction sets that this machine can be asked for.
#pragma once

#include <vector>

#include "mgd/kernels/isa.h"

namespace mgd {

inline std::vector<IsaState> usable_isas() {
  std::vector<IsaState> usable = isa_states();
  std::erase_if(usable,
                [](const IsaState& state) { return state.reason.starts_with("the processor lacks"); });
  return usable;
}

}  // namespace mgd
