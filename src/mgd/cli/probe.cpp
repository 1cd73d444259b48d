// `mgd probe`: how much a model's frozen features say of the classes of a data set.
#include "mgd/eval/probe.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <array>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "mgd/cli/console.h"
#include "mgd/cli/model_input.h"
#include "mgd/cli/open_named_model.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/data/source_lines.h"
#include "mgd/eval/classify.h"

namespace mgd {
namespace {

struct ProbeFlags {
  std::string model, features;
  std::int64_t image_size = 0, per_class = 0, neighbours = 20, threads = 0;
  double max_megapixels = DataConfig{}.max_megapixels;
  bool json = false, quiet = false;

  void visit(OptionVisitor& v) {
    v.option("features", features,
             {.help = "a node, averaged over its positions; empty = what goes into the classifier"});
    v.option("per_class", per_class, {.help = "labels of each class that are used; 0 = all", .min = 0});
    v.option("neighbours", neighbours, {.help = "nearest pictures that vote", .min = 1, .max = 1'000'000});
    v.option("model", model, {.help = "architecture of a bare weights file, where it is not found"});
    v.option("image_size", image_size,
             {.help = "side that the model sees; 0 = its own", .min = 0, .max = 16384});
    v.option("threads", threads, {.help = "0 = all cores", .min = 0, .max = 1024});
    v.option("max_megapixels", max_megapixels,
             {.help = "larger pictures are refused", .min = 0, .max = 4096, .min_open = true});
    v.option("json", json, {.help = "figures as JSON on stdout"});
    v.option("quiet", quiet, {.help = "no notes"});
  }
};

LabelledFeatures features_of(ImageModel& model, const ImageSource& source, const EvalOptions& options,
                             Console& console) {
  const Answers answers = answer_all(model, source, options);
  for (const auto& line : unread_lines(answers.corrupt, source.size(), "left out")) console.note(line);
  return {.rows = answers.inputs, .labels = at::tensor(answers.labels)};
}

struct Probed {
  double linear = 0, neighbours = 0, l2 = 0, validation = 0;
};

// The strength of the regularisation is chosen on the validation part, and the test part is looked at once.
Probed measure(const LabelledFeatures& train, const LabelledFeatures& validation,
               const LabelledFeatures& test, std::int64_t classes, std::int64_t neighbours) {
  constexpr std::array kStrengths = {1e-4, 1e-3, 1e-2, 1e-1, 1.0};
  const Standardiser standardised(train.rows);
  const at::Tensor known = standardised(train.rows), held_out = standardised(validation.rows);
  Probed best{.validation = -1};
  LinearProbe chosen;
  for (const double l2 : kStrengths) {
    LinearProbe probe = fit_linear(known, train.labels, classes, l2);
    const double accuracy = accuracy_of(probe, held_out, validation.labels);
    if (accuracy <= best.validation) continue;
    best.validation = accuracy, best.l2 = l2;
    chosen = std::move(probe);
  }
  best.linear = accuracy_of(chosen, standardised(test.rows), test.labels);
  best.neighbours = neighbours_accuracy(train, test, classes, neighbours);
  return best;
}

int run_probe(const std::vector<std::string>& args, const ProbeFlags& flags) {
  if (args.size() != 2) fail(ExitCode::usage, "probe: got {} names, expected MODEL DATA", args.size());
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  Console console(flags.quiet, "never");
  // The classes of the data need not be the model's.
  OpenedModel opened = open_named_model(args[0], flags.model, /*allow_fresh=*/false, {}, HeadUse::teach);
  DataConfig data;
  data.path = args[1];
  data.per_class = flags.per_class;
  data.max_megapixels = flags.max_megapixels;
  if (const auto channels = opened.info.in_channels; channels == 1 || channels == 3) data.channels = channels;
  const OpenedSplits splits = open_splits(data);
  for (const auto& line : source_lines(*splits.train)) console.note(line);
  if (splits.train->class_names().empty())
    fail(ExitCode::bad_data, "{}: the pictures have no labels, and a probe is judged by them", args[1]);
  const auto& test = splits.test ? splits.test : splits.validation;
  if (!splits.validation || splits.validation->size() == 0 || !test || test->size() == 0)
    fail(ExitCode::bad_data, "{}: too few pictures for a validation and a test part", args[1]);
  const ModelInput input = settle_input(args[0], flags.image_size, survey_pictures(*splits.train), opened);
  for (const std::string& line : input.lines) console.note(line);
  EvalOptions options = eval_options_of(opened, input);
  options.keep_mean_of = flags.features;
  if (options.keep_mean_of.empty()) options.keep_input_of = opened.model->head_path();
  if (options.keep_mean_of.empty() && options.keep_input_of.empty())
    options.keep_mean_of = opened.model->default_tap();
  const LabelledFeatures known = features_of(*opened.model, *splits.train, options, console);
  const LabelledFeatures validation = features_of(*opened.model, *splits.validation, options, console);
  const LabelledFeatures queries = features_of(*opened.model, *test, options, console);
  const auto classes = static_cast<std::int64_t>(splits.train->class_names().size());
  const Probed figures = measure(known, validation, queries, classes, flags.neighbours);
  if (flags.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"linear", figures.linear},
                                              {"neighbours", figures.neighbours},
                                              {"l2", figures.l2},
                                              {"validation", figures.validation},
                                              {"features", known.rows.size(1)},
                                              {"train", known.rows.size(0)},
                                              {"test", queries.rows.size(0)}}
                           .dump());
    return 0;
  }
  fmt::print("features            {} of {} training pictures, {} classes\n", known.rows.size(1),
             known.rows.size(0), classes);
  fmt::print("linear probe        {:.2f} % of {} {} pictures (l2 {:g}, chosen on the validation part)\n",
             100 * figures.linear, queries.rows.size(0), splits.test ? "test" : "validation", figures.l2);
  fmt::print("nearest neighbours  {:.2f} % ({} of them, by cosine)\n", 100 * figures.neighbours,
             std::min(flags.neighbours, known.rows.size(0)));
  return 0;
}

}  // namespace

Verb probe_verb() {
  auto flags = std::make_shared<ProbeFlags>();
  return {.name = "probe",
          .help = "judges a model's frozen features: linear probe and nearest neighbours",
          .example = "mgd probe runs/unlabelled/student photos --per-class 20",
          .positional_name = "MODEL DATA",
          .positional_help = "a model folder or a safetensors file; pictures with labels",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_probe(args, *flags); }};
}

}  // namespace mgd
