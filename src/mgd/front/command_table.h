// What the part that computes says of itself: its verbs with their flags, and what `mgd help` explains. The
// build asks it once (`mgd-torch --describe`) and compiles the answer into the front, which therefore
// explains and checks every verb from the declaration that the verb itself reads, without LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mgd/front/args.h"

namespace mgd {

struct CommandTable {
  std::vector<Verb> verbs;  // described, without a run()
  std::vector<HelpTopic> topics;
};

std::string command_table_json(const std::vector<Verb>& verbs, const std::vector<HelpTopic>& topics);
CommandTable parse_command_table(std::string_view json);  // of what command_table_json wrote

// Defined by the build.
std::string_view builtin_command_table();

}  // namespace mgd
