// The command `mgd`: it explains, checks what was typed, and hands what computes to the part that links
// LibTorch.
#include "mgd/front/command_table.h"
#include "mgd/front/config_verb.h"
#include "mgd/front/run_program.h"
#include "mgd/front/torch_program.h"

int main(int argc, char** argv) {
  return mgd::run_program([&] {
    mgd::CommandTable table = mgd::parse_command_table(mgd::builtin_command_table());
    for (mgd::Verb& verb : table.verbs) {
      if (verb.name == "config")
        verb = mgd::config_verb();
      else
        verb.run = [&](const std::vector<std::string>&) -> int { mgd::become_torch_program(argv); };
    }
    return mgd::run_command_line(table.verbs, argc, argv, table.topics);
  });
}
