#include "mgd/front/config_verb.h"

#include <fmt/core.h>

#include "mgd/format/config.h"
#include "mgd/front/recipe_flags.h"

namespace mgd {

namespace {

struct ConfigFlags {
  bool schema = false, yaml = false;
  void visit(OptionVisitor& v) {
    v.option("schema", schema, {.help = "every key with type, default, range and help"});
    v.option("yaml", yaml, {.help = "the resolved recipe as YAML"});
  }
};

int run_config(const std::vector<std::string>& args, const ConfigFlags& flags) {
  if (flags.schema) {
    fmt::print("{}", config_schema());
    return 0;
  }
  const Config config = config_from(args, RecipeFlags{});
  fmt::print("{}", flags.yaml ? config_to_yaml(config) : config_with_origins(config));
  return 0;
}

}  // namespace

Verb config_verb() {
  auto flags = std::make_shared<ConfigFlags>();
  return {.name = "config",
          .help = "the resolved configuration, with the origin of each value",
          .example = "mgd config cifar10-resnet56-resnet8 train.epochs=3",
          .positional_name = "[RECIPE] [key=value ...]",
          .positional_help = "a recipe file or the name of one that comes with mgd, then changes to it",
          .positional_required = false,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_config(args, *flags); }};
}

}  // namespace mgd
