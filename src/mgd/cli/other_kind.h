// Flags of a verb that serves pictures and texts.
#pragma once

#include <initializer_list>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/options.h"

namespace mgd {

// Throws Error(usage) for the first of `names` that was given another value than its default: the model reads
// what `kind` says ("texts"), and would pass over it in silence.
template <class Flags>
void refuse_flags_of_others(const Flags& flags, std::initializer_list<const char*> names,
                            const std::string& model, const char* kind) {
  const Node given = write_options(flags), otherwise = write_options(Flags{});
  for (const char* name : names) {
    if (to_yaml_flow(*given.find(name)) == to_yaml_flow(*otherwise.find(name))) continue;
    std::string flag = name;
    for (char& c : flag)
      if (c == '_') c = '-';
    fail(ExitCode::usage, "--{}: {} reads {}, to which it says nothing", flag, model, kind);
  }
}

}  // namespace mgd
