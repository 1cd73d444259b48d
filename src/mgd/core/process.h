// Another program, run to its end.
#pragma once

#include <string>
#include <vector>

namespace mgd {

struct ProcessResult {
  int exit_code = 0;   // 128 + signal when one killed it; 127 when it could not be started
  std::string output;  // stdout; at most `most_output` bytes are kept
  std::string errors;  // stderr, the same
};

// arguments[0] is looked for on PATH. stdin is empty. Throws Error(environment) when the system has no more
// descriptors or processes.
ProcessResult run_process(const std::vector<std::string>& arguments, std::size_t most_output = 1 << 20);

}  // namespace mgd
