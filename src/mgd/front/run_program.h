// What the mains of the program's two parts have in common: streams that fail as they should, and exit codes
// for whatever is thrown.
#pragma once

#include <functional>

namespace mgd {

// Returns what `command` returns, or the exit code of what it throws, told in one line on stderr.
int run_program(const std::function<int()>& command);

}  // namespace mgd
