#include <c10/core/ScalarType.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "mgd/cli/open_named_model.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/eval/summary.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

struct InspectFlags {
  std::string model;
  bool json = false;
  void visit(OptionVisitor& v) {
    v.option("model", model, {.help = "architecture of a bare weights file"});
    v.option("json", json, {.help = "one JSON object on stdout"});
  }
};

json to_json(const ImageModel& model, const ModelSummary& summary) {
  json tensors = json::array(), taps = json::array();
  for (const auto& entry : model.state())
    tensors.push_back({{"name", entry.name},
                       {"dtype", c10::toString(entry.tensor.scalar_type())},
                       {"shape", entry.tensor.sizes().vec()}});
  for (const auto& node : summary.nodes) taps.push_back({{"name", node.name}, {"shape", node.shape}});
  return {{"architecture", summary.architecture},
          {"parameters", summary.parameters},
          {"macs", summary.macs},
          {"tensors", tensors},
          {"taps", taps}};
}

void print_table(const ModelSummary& summary, const ModelFolderInfo& info) {
  fmt::print("{}: {} parameters, {} multiply-accumulates for {} x {} x {}, {} classes\n\n",
             summary.architecture, summary.parameters, summary.macs, info.in_channels, info.height,
             info.width, info.num_classes);
  fmt::print("{:<34} {:>16} {:>12} {:>14}\n", "node (each can be a tap)", "shape", "parameters", "MACs");
  for (const auto& node : summary.nodes)
    fmt::print("{:<34} {:>16} {:>12} {:>14}\n", node.name, fmt::format("{}", fmt::join(node.shape, " x ")),
               node.parameters, node.macs);
}

int run_inspect(const std::vector<std::string>& args, const InspectFlags& flags) {
  if (args.size() != 1) fail(ExitCode::usage, "inspect takes one model, got {}", args.size());
  const OpenedModel opened = open_named_model(args[0], flags.model, /*allow_fresh=*/true);
  const ModelSummary summary = summarize(*opened.model);
  if (flags.json)
    fmt::print("{}\n", to_json(*opened.model, summary).dump());
  else
    print_table(summary, opened.info);
  return 0;
}

}  // namespace

Verb inspect_verb() {
  auto flags = std::make_shared<InspectFlags>();
  return {.name = "inspect",
          .help = "layers, shapes, parameters, multiply-accumulates and taps of a model",
          .example = "mgd inspect cifar_resnet8",
          .positional_name = "MODEL",
          .positional_help = "a model folder, a safetensors file or the name of an architecture",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_inspect(args, *flags); }};
}

}  // namespace mgd
