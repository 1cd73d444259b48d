// The part of the program that computes. It links LibTorch, whose start takes ten times as long as anything
// that the front does: help, the check of verbs and flags, `mgd config`.
#pragma once

#include <map>
#include <string>

#include "mgd/core/cpu_share.h"
#include "mgd/core/file.h"

namespace mgd {

// mgd-torch beside the running program, or where an installation has it. Throws Error(environment) when it is
// not there.
fs::path torch_program();

// What libraries read while they are loaded, and what no program can therefore set for itself. Threads that
// wait for each other watch for a moment and then sleep: watching takes the core from whoever it is that they
// wait for where others use the cores too. A container's quota counts as cores. What the user has set is left
// alone: `is_set` tells of a name.
std::map<std::string, std::string> library_environment(const CpuShare& share,
                                                       bool (*is_set)(const char* name));

// Replaces this process by the part that computes, with the same arguments. Throws Error(environment).
[[noreturn]] void become_torch_program(char* const* argv);

}  // namespace mgd
