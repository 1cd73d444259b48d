#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/cli/verbs.h"
#include "mgd/core/cpu_share.h"
#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/kernels/gemm.h"
#include "mgd/kernels/isa.h"
#include "mgd/ops/allocator.h"
#include "mgd/train/environment.h"

namespace mgd {

namespace {

struct DoctorFlags {
  bool json = false;
  void visit(OptionVisitor& v) { v.option("json", json, {.help = "one JSON object on stdout"}); }
};

// Each problem with its fix; empty when all is well.
std::vector<std::string> problems_of(const Environment& env) {
  std::vector<std::string> problems;
  try {
    require_same_torch(env);
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
  const auto has = [&](const char* feature) {
    return std::find(env.cpu_features.begin(), env.cpu_features.end(), feature) != env.cpu_features.end();
  };
  if (env.waiting.starts_with("spinning"))
    problems.emplace_back(
        "threads that wait keep their cores busy, which makes runs several times slower where others use "
        "them "
        "too: start `mgd`, not mgd-torch, and leave OMP_WAIT_POLICY=active out");
  if (!has("avx2")) problems.emplace_back("the processor has no AVX2: everything works, slowly");
  std::error_code error;
  const auto space = fs::space(fs::current_path(), error);
  if (!error && space.available < (std::uintmax_t{1} << 30))
    problems.push_back(
        fmt::format("{:.1f} GB free in this folder: checkpoints may not fit; use --run-dir elsewhere",
                    static_cast<double>(space.available) / 1e9));
  return problems;
}

// "avx512 (not avx512bf16: the processor lacks AVX-512 BF16)".
std::string kernels_state() {
  std::string used, skipped;
  for (const IsaState& state : isa_states()) {
    if (state.reason.empty()) {
      used = state.name;
      break;
    }
    skipped += fmt::format("{}not {}: {}", skipped.empty() ? "" : "; ", state.name, state.reason);
  }
  return skipped.empty() ? used : fmt::format("{} ({})", used, skipped);
}

int run_doctor(const DoctorFlags& flags) {
  const Environment env = environment();
  if (flags.json) {
    fmt::print("{}", environment_json(env));
    return 0;
  }
  const auto row = [](const char* name, const std::string& value) { fmt::print("{:<14} {}\n", name, value); };
  row("mgd", env.mgd_version);
  row("system", env.system);
  row("processor", fmt::format("{}, {}", env.cpu, cpu_share().describe()));
  row("features", fmt::format("{}", fmt::join(env.cpu_features, " ")));
  row("bf16",
      std::find(env.cpu_features.begin(), env.cpu_features.end(), "avx512_bf16") != env.cpu_features.end()
          ? "in hardware: train.precision=bf16 pays"
          : "emulated: train.precision=bf16 works but is slow");
  row("memory", fmt::format("{:.1f} GB", static_cast<double>(env.memory_bytes) / 1e9));
  row("allocator", caching_allocator_in_use()
                       ? fmt::format("caching, on huge pages, keeps at most {:.1f} GB of freed memory",
                                     static_cast<double>(most_cached_bytes()) / 1e9)
                       : "the system's");
  row("kernels", kernels_state());
  row("products", gemm_state());
  row("threads", fmt::format("{} by default; one that waits: {}", env.threads, env.waiting));
  row("LibTorch", fmt::format("{} (built with {}), {}", env.torch_running, env.torch_built,
                              env.torch_cuda ? "with CUDA" : "without CUDA"));
  if (!env.gpus.empty()) row("GPU", fmt::format("{}", fmt::join(env.gpus, ", ")));
  const auto problems = problems_of(env);
  for (const auto& problem : problems) row("problem", problem);
  if (problems.empty()) row("problems", "none");
  return problems.empty() ? 0 : static_cast<int>(ExitCode::environment);
}

}  // namespace

Verb doctor_verb() {
  auto flags = std::make_shared<DoctorFlags>();
  return {.name = "doctor",
          .help = "this machine and LibTorch, each problem with its fix",
          .example = "mgd doctor",
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>&) { return run_doctor(*flags); }};
}

}  // namespace mgd
