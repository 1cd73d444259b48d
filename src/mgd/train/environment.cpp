#include "mgd/train/environment.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <sys/utsname.h>
#include <torch/csrc/api/include/torch/version.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mgd/core/cpu_share.h"
#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/core/memory.h"

#ifndef MGD_VERSION
#define MGD_VERSION "0.1.0"
#endif

namespace mgd {

namespace {

// A field of /proc/cpuinfo, of the first core; "" where there is none.
std::string cpuinfo(const std::string& field) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(field) && line.find(':') != std::string::npos)
      return line.substr(std::min(line.find(':') + 2, line.size()));
  return "";
}

// A file of the driver a GPU; LibTorch tells a name only through headers of the CUDA toolkit.
std::vector<std::string> gpu_models() {
  std::vector<std::string> models;
  std::error_code error;  // no driver: no folder
  for (const auto& gpu : fs::directory_iterator("/proc/driver/nvidia/gpus", error)) {
    std::ifstream file(gpu.path() / "information");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("Model:"))
        models.push_back(line.substr(std::min(line.find_first_not_of(" \t", 6), line.size())));
  }
  return models;
}

// What libgomp read of the environment while it was loaded (front/torch_program.h).
std::string waiting_policy() {
  if (const char* policy = std::getenv("OMP_WAIT_POLICY"))
    return fmt::format("{} (OMP_WAIT_POLICY)", std::string_view(policy) == "active" ? "spinning" : policy);
  if (const char* turns = std::getenv("GOMP_SPINCOUNT"))
    return fmt::format("{} turns, then sleep (GOMP_SPINCOUNT)", turns);
  return "spinning for milliseconds, then sleep";
}

// at::show_config() starts with the version of the library that is really loaded.
std::string running_torch_version() {
  std::istringstream text(at::show_config());
  for (std::string line; std::getline(text, line);)
    if (const auto at = line.find("TORCH_VERSION="); at != std::string::npos) {
      const std::string rest = line.substr(at + 14);
      return rest.substr(0, rest.find(','));
    }
  return "";
}

}  // namespace

Environment environment() {
  Environment env;
  env.mgd_version = MGD_VERSION;
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  env.host = host.data();
  utsname system{};
  ::uname(&system);
  env.system = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  env.cpu = cpuinfo("model name");
  env.cores = cpu_share().cores();
  env.threads = at::get_num_threads();
  env.waiting = waiting_policy();
  env.memory_bytes = machine_memory_bytes();
  const std::string flags = " " + cpuinfo("flags") + " ";
  for (const char* feature : {"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"})
    if (flags.find(fmt::format(" {} ", feature)) != std::string::npos) env.cpu_features.emplace_back(feature);
  env.torch_built = TORCH_VERSION;
  env.torch_running = running_torch_version();
  env.torch_cuda = at::globalContext().hasCUDA();
  env.gpus = gpu_models();
  return env;
}

std::string environment_json(const Environment& e) {
  return nlohmann::ordered_json{{"mgd", e.mgd_version},
                                {"host", e.host},
                                {"system", e.system},
                                {"cpu", e.cpu},
                                {"cores", e.cores},
                                {"threads", e.threads},
                                {"waiting", e.waiting},
                                {"memory_bytes", e.memory_bytes},
                                {"cpu_features", e.cpu_features},
                                {"torch_built", e.torch_built},
                                {"torch_running", e.torch_running},
                                {"cuda", e.torch_cuda},
                                {"gpus", e.gpus}}
             .dump(2) +
         "\n";
}

void require_same_torch(const Environment& env) {
  const auto release = [](const std::string& version) { return version.substr(0, version.find('+')); };
  if (!env.torch_running.empty() && release(env.torch_running) != release(env.torch_built))
    fail(ExitCode::environment,
         "LibTorch: this program was built with {} and has loaded {}; rebuild it or set LD_LIBRARY_PATH to "
         "the first",
         env.torch_built, env.torch_running);
}

}  // namespace mgd
