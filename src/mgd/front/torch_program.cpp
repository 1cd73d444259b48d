#include "mgd/front/torch_program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "mgd/core/error.h"

// From the folder of the program to that of its other part, in an installation.
#ifndef MGD_LIBEXEC
#define MGD_LIBEXEC "../libexec/mgd"
#endif

namespace mgd {

namespace {

constexpr const char* kName = "mgd-torch";

// libgomp: turns of watching before a thread sleeps. docs/threads.md has the measurements.
constexpr const char* kSpinCount = "10000";
// The same for LLVM's and Intel's library, which some builds of LibTorch bring; milliseconds.
constexpr const char* kBlockTime = "1";

bool is_set_here(const char* name) {
  return std::getenv(name) != nullptr;
}

}  // namespace

fs::path torch_program() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path here = self.parent_path();
  for (const fs::path& path : {here / kName, here / MGD_LIBEXEC / kName})
    if (::access(path.c_str(), X_OK) == 0) return path.lexically_normal();
  fail(ExitCode::environment,
       "{} is missing: it is a part of this program, and stands neither in {} nor in {}", kName,
       here.string(), (here / MGD_LIBEXEC).lexically_normal().string());
}

std::map<std::string, std::string> library_environment(const CpuShare& share,
                                                       bool (*is_set)(const char* name)) {
  std::map<std::string, std::string> wanted;
  if (!is_set("OMP_WAIT_POLICY")) {
    if (!is_set("GOMP_SPINCOUNT")) wanted["GOMP_SPINCOUNT"] = kSpinCount;
    if (!is_set("KMP_BLOCKTIME")) wanted["KMP_BLOCKTIME"] = kBlockTime;
  }
  if (!is_set("OMP_NUM_THREADS") && share.cores() < share.allowed)
    wanted["OMP_NUM_THREADS"] = std::to_string(share.cores());
  return wanted;
}

void become_torch_program(char* const* argv) {
  const fs::path program = torch_program();
  for (const auto& [name, value] : library_environment(cpu_share(), is_set_here))
    ::setenv(name.c_str(), value.c_str(), 0);
  ::execv(program.c_str(), argv);
  fail(ExitCode::environment, "{}: cannot be started: {}", program.string(), std::strerror(errno));
}

}  // namespace mgd
