#include "mgd/cli/demo.h"

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"

namespace mgd {

void DemoFlags::visit(OptionVisitor& v) {
  v.option("data", data, {.help = "a text of yours; digits: digits.csv.gz"});
  v.option("run_dir", run_dir, {.help = "folder of all its runs; replaced (default: runs/demo-NAME)"});
  v.option("seeds", seeds, {.help = "digits: runs a method", .min = 1, .max = 20});
  v.option("per_class", per_class,
           {.help = "digits: labelled images a class that the student gets; 0 = all", .min = 0});
  v.option("steps", steps, {.help = "text: training steps of each model; 0 = as in its recipes", .min = 0});
  v.option("threads", threads, {.help = "0 = all cores", .min = 0});
  v.option("quiet", quiet, {.help = "only the result"});
}

namespace {

int run_demo(const std::vector<std::string>& args, const DemoFlags& flags) {
  const std::string name = args.empty() ? "digits" : args[0];
  const DemoFlags unset;
  if (name == "digits") {
    if (flags.steps != unset.steps) fail(ExitCode::usage, "demo digits: --steps is for `mgd demo text`");
    return demo_digits(flags);
  }
  if (name == "text") {
    if (flags.seeds != unset.seeds || flags.per_class != unset.per_class)
      fail(ExitCode::usage, "demo text: --seeds and --per-class are for `mgd demo digits`");
    return demo_text(flags);
  }
  fail(ExitCode::usage, "demo: got '{}'{}", name, suggestion(name, {"digits", "text"}));
}

}  // namespace

Verb demo_verb() {
  auto flags = std::make_shared<DemoFlags>();
  return {.name = "demo",
          .help = "the whole story in minutes: small networks learn from big ones, or from a text",
          .example = "mgd demo text",
          .positional_name = "[digits|text]",
          .positional_help = "digits: teacher, student alone, KD, MGD; text: fill gaps, write on",
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_demo(args, *flags); }};
}

}  // namespace mgd
