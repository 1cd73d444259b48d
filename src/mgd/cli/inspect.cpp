#include <c10/core/ScalarType.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "mgd/cli/inspect_mask.h"
#include "mgd/cli/inspect_pair.h"
#include "mgd/cli/model_input.h"
#include "mgd/cli/open_named_model.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/eval/summary.h"
#include "mgd/eval/text_folder.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

struct InspectFlags {
  std::string model, mask, picture;
  std::int64_t image_size = 0;
  bool json = false;
  void visit(OptionVisitor& v) {
    v.option("model", model, {.help = "architecture of a bare weights file"});
    v.option("image_size", image_size,
             {.help = "pictures: side of the square that is counted for; 0 = what the model wants",
              .min = 0,
              .max = 16384});
    v.option("mask", mask,
             {.help = "in place of a model, draw what attention sees: causal, window=W, lengths=A:B, "
                      "documents=A:B, keys=S, queries=T, with commas between them"});
    v.option("picture", picture, {.help = "with --mask: PNG file to draw it in, too"});
    v.option("json", json, {.help = "one JSON object on stdout"});
  }
};

// backbone: the tensors of its classifier are none of its own.
json to_json(const Model& model, const ModelSummary& summary, bool backbone = false) {
  json tensors = json::array(), taps = json::array();
  for (const auto& entry : model.state())
    if (!backbone || !model.of_head(entry.name))
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

void print_nodes(const ModelSummary& summary) {
  std::size_t width = 34;
  for (const auto& node : summary.nodes) width = std::max(width, node.name.size());
  fmt::print("{:<{}} {:>16} {:>12} {:>14}\n", "node (each can be a tap)", width, "shape", "parameters",
             "MACs");
  for (const auto& node : summary.nodes)
    fmt::print("{:<{}} {:>16} {:>12} {:>14}\n", node.name, width,
               fmt::format("{}", fmt::join(node.shape, " x ")), node.parameters, node.macs);
}

bool is_text(const std::string& model) {
  const auto known = known_text_models();
  return fs::is_directory(model) ? is_text_folder(model)
                                 : std::find(known.begin(), known.end(), model) != known.end();
}

void inspect_text(const std::string& name, bool as_json) {
  const std::unique_ptr<TextModel> model = fs::is_directory(name)
                                               ? std::move(open_text_folder(name).model)
                                               : make_text_model(text_config(name, {}, TextHead::encoder), 1);
  const ModelSummary summary = summarize(*model);
  if (as_json) {
    fmt::print("{}\n", to_json(*model, summary).dump());
    return;
  }
  const TextConfig& config = model->config();
  fmt::print(
      "{}: {} parameters, {} multiply-accumulates for {} tokens, {}, vocabulary {}, at most {} tokens\n\n",
      summary.architecture, summary.parameters, summary.macs, summary_tokens(*model),
      text_head_name(config.head), config.vocab_size, model->max_tokens());
  print_nodes(summary);
}

// Without the classifier of one class that a backbone was opened with.
ModelSummary summarize_opened(OpenedModel& opened, PictureSize size) {
  ModelSummary summary = summarize(*opened.model, size.height, size.width);
  if (opened.no_logits.empty()) return summary;
  const std::string head = opened.model->head_path();
  for (const LayerSummary& node : summary.nodes)
    if (node.name == head) summary.parameters -= node.parameters, summary.macs -= node.macs;
  std::erase_if(summary.nodes, [&](const LayerSummary& node) { return node.name == head; });
  return summary;
}

void inspect_image(const std::string& name, const InspectFlags& flags) {
  OpenedModel opened = open_named_model(name, flags.model, /*allow_fresh=*/true, {}, HeadUse::teach);
  for (const std::string& note : opened.notes)
    fmt::print(stderr, "{}{}\n", note.starts_with(name) ? "" : name + ": ", note);
  const ModelInput input = settle_input(name, flags.image_size, {}, opened);
  const ModelSummary summary = summarize_opened(opened, input.rules.size);
  if (flags.json) {
    json object = to_json(*opened.model, summary, !opened.no_logits.empty());
    object["input_size"] = {opened.info.in_channels, opened.info.height, opened.info.width};
    fmt::print("{}\n", object.dump());
    return;
  }
  fmt::print("{}: {} parameters, {} multiply-accumulates for {} x {} x {}, {}\n", summary.architecture,
             summary.parameters, summary.macs, opened.info.in_channels, opened.info.height, opened.info.width,
             opened.no_logits.empty() ? fmt::format("{} classes", opened.info.num_classes) : "no classifier");
  for (const std::string& line : input.lines) fmt::print("{}\n", line);
  fmt::print("\n");
  print_nodes(summary);
}

// Pictures as the teacher wants them, of the size that the student is shown, too.
void inspect_pair(const std::string& teacher, const std::string& student, const InspectFlags& flags) {
  for (const std::string& name : {teacher, student})
    if (is_text(name))
      fail(ExitCode::usage,
           "inspect: '{}' reads texts; a teacher and a student are compared by their maps, so both "
           "read pictures",
           name);
  if (flags.json) fail(ExitCode::usage, "--json: it is for one model");
  if (!flags.model.empty())
    fail(ExitCode::usage, "--model: it is for one model; give folders or architectures");
  OpenedModel first = open_named_model(teacher, "", /*allow_fresh=*/true, {}, HeadUse::teach);
  OpenedModel second = open_named_model(student, "", /*allow_fresh=*/true, {}, HeadUse::teach);
  const ModelInput input = settle_input(teacher, flags.image_size, {}, first);
  const PictureSize size = input.rules.size;
  fmt::print("pictures of {} x {}\n", size.height, size.width);
  for (const std::string& line : describe_pair(summarize_opened(first, size), summarize_opened(second, size)))
    fmt::print("{}\n", line);
}

int run_inspect(const std::vector<std::string>& args, const InspectFlags& flags) {
  if (!flags.mask.empty()) {
    if (!args.empty())
      fail(ExitCode::usage, "inspect: got the model '{}' and --mask; give one of them", args[0]);
    inspect_mask(flags.mask, flags.picture, flags.json);
    return 0;
  }
  if (!flags.picture.empty()) fail(ExitCode::usage, "--picture: it draws a mask; give --mask too");
  if (args.empty()) fail(ExitCode::usage, "inspect: MODEL is missing; e.g. mgd inspect cifar_resnet8");
  if (args.size() > 2)
    fail(ExitCode::usage, "inspect takes a model, or a teacher and a student; got {}", args.size());
  if (args.size() == 2) {
    inspect_pair(args[0], args[1], flags);
    return 0;
  }
  if (is_text(args[0]))
    inspect_text(args[0], flags.json);
  else
    inspect_image(args[0], flags);
  return 0;
}

}  // namespace

Verb inspect_verb() {
  auto flags = std::make_shared<InspectFlags>();
  return {.name = "inspect",
          .help = "layers, shapes, parameters, MACs and taps of a model; where two meet; or a mask, drawn",
          .example = "mgd inspect cifar_resnet8",
          .positional_name = "MODEL [STUDENT]",
          .positional_help =
              "a model folder, a safetensors file or the name of an architecture; with a "
              "second one, where the two could be compared",
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_inspect(args, *flags); }};
}

}  // namespace mgd
