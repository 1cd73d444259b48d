// What this process has staged and not published, for a handler of signals.
#pragma once

namespace mgd {

// Removes every file and folder that this process holds staged (core/staging.h), whatever it was about to
// become. They are found by their locks, which are open descriptors, so nobody keeps a list of them.
// Async-signal-safe: system calls on the stack, no memory is taken. What cannot be removed stays, and is
// removed by the next writer beside it.
void remove_own_staging() noexcept;

}  // namespace mgd
