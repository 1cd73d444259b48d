// Time for measuring, not of the day.
#pragma once

#include <chrono>

namespace mgd {

// Of a clock that never jumps; only differences mean something.
inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace mgd
