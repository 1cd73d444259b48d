// The machine and the libraries a run used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mgd {

struct Environment {
  std::string mgd_version, host, system, cpu;
  int cores = 0, threads = 0;  // cores that the process may use: its share where a container has a quota
  std::string waiting;         // what a thread does that waits for the others
  std::uint64_t memory_bytes = 0;
  std::vector<std::string>
      cpu_features;  // of those that matter here: avx2, fma, avx512f, avx512_bf16, amx_bf16
  std::string torch_built, torch_running;  // versions at build and at run time
  bool torch_cuda = false;                 // this LibTorch can compute on a GPU here
  std::vector<std::string> gpus;           // models, as the NVIDIA driver names them
};

Environment environment();
std::string environment_json(const Environment& env);

// Throws Error(environment) when the LibTorch that is loaded is not the one this program was built with.
void require_same_torch(const Environment& env);

}  // namespace mgd
