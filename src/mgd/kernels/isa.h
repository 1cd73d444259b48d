// Which instruction set the kernels run with: an ordered list, the first usable one wins, MGD_ISA forces
// another.
#pragma once

#include <string>
#include <vector>

namespace mgd {

enum class Isa { portable, avx2, avx512, avx512bf16 };  // each has what the one before it has

struct IsaState {
  Isa isa = Isa::portable;
  std::string name;    // "avx512": what MGD_ISA takes
  std::string reason;  // why it is not used; "" for the one in use
};

// Best first, each with the reason why it was skipped: what `mgd doctor` prints.
std::vector<IsaState> isa_states();

// Throws Error(environment) when MGD_ISA names something unknown, or something this machine lacks.
Isa chosen_isa();

}  // namespace mgd
