// The command line: verbs declared as data, parsed, checked and explained from that one declaration.
//
//   TokenizeFlags flags;                       // a struct with visit(), as for recipes
//   Verb verb{.name = "tokenize", .help = "...", .example = "mgd tokenize bert/ 'a text'",
//             .positional_name = "MODEL", .positional_help = "...", .positional_required = true,
//             .options = [&](OptionVisitor& v) { flags.visit(v); },
//             .run = [&](const std::vector<std::string>& positionals) { return tokenize(flags, positionals);
//             }};
//   return run_command_line({verb, ...}, argc, argv);
//
// An option `top_k` is the flag --top-k VALUE (or --top-k=VALUE). A bool is a switch without a value:
// --resume; one that is true by default is switched off with --no-NAME. A list is given by repeating its
// flag. Flags and positionals may be mixed; after `--` everything is positional; a lone `-` is a positional.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "mgd/format/options.h"

namespace mgd {

struct Verb {
  std::string name;             // "distill"
  std::string help;             // one line
  std::string example;          // a line that works as typed
  std::string positional_name;  // as shown: "RECIPE [KEY=VALUE ...]"; "" = takes none
  std::string positional_help;
  bool positional_required = false;             // at least one
  std::function<void(OptionVisitor&)> options;  // may be empty
  std::function<int(const std::vector<std::string>& positionals)> run;
  std::int64_t positional_max = -1;  // -1: any number
  // In place of `options`, which another program has: enough for help and for the names of flags. That
  // program then reads and checks the values.
  std::vector<OptionInfo> described = {};
};

// Something that `mgd help NAME` explains and that is no verb: a part of a recipe, a loss, an augmentation.
struct HelpTopic {
  std::string name;
  std::string help;
  std::vector<OptionInfo> options;
  std::vector<std::pair<std::string, std::string>> parts = {};  // name and help of topics that belong to it
};

// Finds the verb, fills its options and calls its run(), whose result is returned. `mgd`, `mgd --help`, `mgd
// help [VERB]`, `mgd VERB --help` and `mgd --version` print to stdout and return 0. Throws Error(usage) for
// an unknown verb or flag (nearest named), a flag without its value, a value of the wrong type or out of
// range, and missing or surplus positionals. `mgd help NAME` explains a verb, a topic, or both.
int run_command_line(const std::vector<Verb>& verbs, int argc, const char* const* argv,
                     const std::vector<HelpTopic>& topics = {});

// 80 columns each.
std::string general_help(const std::vector<Verb>& verbs, const std::vector<HelpTopic>& topics = {});
std::string verb_help(const Verb& verb);
std::string topic_help(const HelpTopic& topic);

// Flags of the verb, from its options.
std::vector<OptionInfo> describe_flags(const Verb& verb);

// The flags that mean the same in every verb. A verb embeds those it honours: an unused flag is an unknown
// flag.
struct CommonFlags {
  std::string run_dir;
  std::int64_t seed = -1;     // -1: as in the recipe
  std::int64_t threads = -1;  // -1: as in the recipe
  std::string device;         // "": as in the recipe
  std::string allocator;      // "": as in the recipe
  bool resume = false;
  bool overwrite = false;
  bool dry_run = false;
  bool quiet = false;
  bool json = false;
  std::string color = "auto";

  void visit(OptionVisitor& v);          // all of them
  void visit_machine(OptionVisitor& v);  // --threads --device --allocator
  void visit_output(OptionVisitor& v);   // --quiet --json --color
  void visit_run(OptionVisitor& v);      // --run-dir --seed --resume --overwrite --dry-run

  // Those that were given, as overrides of a recipe: {"run.seed=3", "run.dir=out"}.
  std::vector<std::string> overrides() const;
};

}  // namespace mgd
