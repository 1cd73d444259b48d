// Options of an entry that the form at hand never reads.
//
// A key of a whole recipe that changes nothing is told of (format/idle_keys.h), because a recipe may be
// written for several runs. An entry of losses or masks is written for this one: what it cannot mean is
// refused.
#pragma once

#include <initializer_list>
#include <string>

#include "mgd/format/options.h"

namespace mgd {

struct IdleOption {
  const char* key;
  bool idle;        // in the form at hand
  std::string why;  // "'layer1' has rows, which have no height"
};

void refuse_idle_impl(const Node& entry, const std::string& where, const Node& given, const Node& defaults,
                      std::initializer_list<IdleOption> rules);

// Throws Error(usage) for the first idle option to which the entry gives another value than its default,
// which is what it has when it is left out: "recipe.yaml:12:5: losses.mgd: resize: got true, which changes
// nothing: 'layer1' has rows, which have no height; leave it out". `options` were read from `entry`, at the
// dotted path `where`.
template <class S>
void refuse_idle(const Node& entry, const std::string& where, const S& options,
                 std::initializer_list<IdleOption> rules) {
  refuse_idle_impl(entry, where, write_options(options), write_options(S{}), rules);
}

}  // namespace mgd
