#include "mgd/kernels/isa.h"

#include <cstdlib>

#include "mgd/core/error.h"

namespace mgd {

namespace {

struct Candidate {
  Isa isa;
  const char* name;
  const char* missing;  // what the processor lacks; nullptr: nothing
};

std::vector<Candidate> detected() {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  return {{Isa::avx512bf16, "avx512bf16", bf16 ? nullptr : "the processor lacks AVX-512 BF16"},
          {Isa::avx512, "avx512", avx512 ? nullptr : "the processor lacks AVX-512 F/BW/DQ/VL"},
          {Isa::avx2, "avx2", avx2 ? nullptr : "the processor lacks AVX2 or FMA"},
          {Isa::portable, "portable", nullptr}};
#else
  return {{Isa::portable, "portable", nullptr}};
#endif
}

// Of this processor, looked at once; MGD_ISA is read at each call, so that a test may force one after the
// other.
const std::vector<Candidate>& candidates() {
  static const std::vector<Candidate> all = detected();
  return all;
}

const Candidate& choose(const std::vector<Candidate>& all) {
  const char* forced = std::getenv("MGD_ISA");
  if (forced == nullptr || *forced == '\0') {
    for (const Candidate& c : all)
      if (c.missing == nullptr) return c;
  }
  std::vector<std::string> names;
  for (const Candidate& c : all) {
    names.emplace_back(c.name);
    if (names.back() != forced) continue;
    if (c.missing != nullptr) fail(ExitCode::environment, "MGD_ISA: got '{}', but {}", forced, c.missing);
    return c;
  }
  fail(ExitCode::environment, "MGD_ISA: got '{}'{}", forced, suggestion(forced, names));
}

}  // namespace

Isa chosen_isa() {
  return choose(candidates()).isa;
}

std::vector<IsaState> isa_states() {
  const auto& all = candidates();
  const Candidate& used = choose(all);
  std::vector<IsaState> states;
  for (const Candidate& c : all) {
    std::string reason = c.missing != nullptr ? c.missing : "";
    if (reason.empty() && c.isa != used.isa)
      reason = std::string(c.isa > used.isa ? "MGD_ISA=" : "there is a better one: ") + used.name;
    states.push_back({c.isa, c.name, reason});
  }
  return states;
}

}  // namespace mgd
