// Rules for what another library calls a tensor: a beginning of the name, and what stands there instead.
#pragma once

#include <span>
#include <string>

namespace mgd {

// "{0}", "{1}", ... are numbers of the name, in the order of the beginning; "{0+1}" and "{0*2+1}" are
// computed from one: {"s{0}.b{1}.conv1.bn", "trunk.block{0}.block{0}-{1-1}.f.a.1"}.
struct Renaming {
  const char *ours, *theirs;
};

// By the first rule whose beginning fits up to a dot or the end; the name itself where none does.
std::string renamed(const std::string& name, std::span<const Renaming> rules);

}  // namespace mgd
