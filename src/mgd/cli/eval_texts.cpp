#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/cli/console.h"
#include "mgd/cli/eval.h"
#include "mgd/cli/open_text.h"
#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/core/staging.h"
#include "mgd/data/source_lines.h"
#include "mgd/data/text_dataset.h"
#include "mgd/eval/figures.h"
#include "mgd/eval/text_figures.h"
#include "mgd/format/class_map.h"
#include "mgd/generate/pseudo_perplexity.h"
#include "mgd/nn/device.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t kBatch = 32, kSampleTokens = 512;

std::string task_of(const TextConfig& config) {
  if (config.encoder_decoder() && config.head == TextHead::causal_lm) return "denoise";
  if (config.head == TextHead::masked_lm) return "mlm";
  if (config.head == TextHead::causal_lm) return "clm";
  return config.head == TextHead::encoder ? "embed" : "classify";
}

// A folder for tokens that nobody wants to keep.
class ScratchFolder {
 public:
  ScratchFolder() : staging_(make_staging(fs::temp_directory_path() / "mgd-tokens", StagingKind::folder)) {}
  ~ScratchFolder() {
    std::error_code error;
    fs::remove_all(staging_.path, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return staging_.path; }

 private:
  Staging staging_;
};

// The split as a recipe's test split: read as it stands, nothing held out.
Config config_of(const EvalFlags& flags, const std::string& task, std::int64_t max_length,
                 const std::string& prompt) {
  Config config;
  config.task = task;
  config.data.path = flags.data;
  const bool folder = fs::is_directory(flags.data);
  if (!folder && flags.split != EvalFlags{}.split)
    fail(ExitCode::usage, "--split: got '{}', but {} is one file, which has no splits",
         printable(flags.split), flags.data);
  config.data.train = config.data.test = folder ? flags.split : fs::path(flags.data).filename().string();
  config.data.validation = 0;
  const bool pairs = task == "embed";
  if (!flags.format.empty()) config.text.format = flags.format;
  config.text.columns = flags.columns;
  if (flags.columns.empty() && pairs) config.text.columns = {"sentence1", "sentence2"};
  config.text.target = !flags.target.empty() ? flags.target : pairs ? "score" : "label";
  config.text.samples = flags.samples;
  config.text.max_length = max_length;
  config.text.prompt = prompt;
  config.objective.mask_ratio = flags.mask_ratio;
  if (pairs && config.text.columns.size() != 2)
    fail(ExitCode::usage,
         "--columns: got {}, but a sentence encoder is measured on pairs; give the flag twice",
         config.text.columns.size());
  return config;
}

// The model's number of each class of the data, by name. Classes without names are numbers, and are never
// guessed.
at::Tensor class_numbers(const TextConfig& config, const std::vector<std::string>& classes,
                         const std::vector<std::string>& unnamed) {
  std::vector<std::string> names = label_names_of(config);
  if (config.label_names.empty() || names != config.label_names)
    if (static_cast<std::int64_t>(unnamed.size()) == config.num_labels) names = unnamed;
  const ClassMap map = match_classes(names, config.num_labels, classes);
  if (map.found() && map.fit != ClassFit::unnamed) return at::tensor(map.model_class, at::kLong);
  const std::string& missing = map.unknown.empty() ? classes.front() : map.unknown.front();
  fail(ExitCode::usage, "--target: the data has the label '{}'; the model has {} labels{}",
       printable(missing), config.num_labels, suggestion(missing, names));
}

// The objective of a classifier with the labels in the model's numbers.
class Renumbered final : public Objective {
 public:
  Renumbered(std::unique_ptr<Objective> inner, at::Tensor numbers)
      : inner_(std::move(inner)), numbers_(std::move(numbers)) {}
  Batch make(std::span<const TextSample> samples, std::int64_t epoch) const override {
    Batch batch = inner_->make(samples, epoch);
    batch.target = numbers_.index_select(0, batch.target);
    return batch;
  }

 private:
  const std::unique_ptr<Objective> inner_;
  const at::Tensor numbers_;
};

double pseudo_perplexity(NamedText& named, const TextSource& source, at::Device device) {
  PseudoLikelihood sum;
  for (std::int64_t i = 0; i < source.size(); ++i)
    for (const TextSequence& sequence : source.sample(i, 0).sequences)
      sum.add(pseudo_likelihood(*named.model, named.tokenizer, sequence.ids, {.device = device}));
  return sum.perplexity();
}

Figures measure(NamedText& named, const Config& config, const TextDataset& data, const EvalFlags& flags,
                at::Device device) {
  std::unique_ptr<Objective> objective =
      make_eval_objective(config.task, config.objective, roles_of(named.tokenizer));
  if (config.task == "classify") {
    if (data.class_names.empty())
      fail(ExitCode::usage, "--target: {} has no labels; a classifier is measured on rows with one",
           flags.data);
    objective = std::make_unique<Renumbered>(
        std::move(objective), class_numbers(named.model->config(), data.class_names, flags.classes));
  }
  const auto stream = stream_texts(*data.test, std::move(objective),
                                   {.batch_size = flags.batch_size > 0 ? flags.batch_size : kBatch});
  Figures figures = measure_texts(config.task, *named.model, *stream, named.tokenizer,
                                  {.precision = flags.precision, .device = device});
  if (flags.pseudo_perplexity)
    figures.emplace_back("pseudo_perplexity", pseudo_perplexity(named, *data.test, device));
  return figures;
}

void print_figures(const Figures& figures) {
  for (const auto& [name, value] : figures) {
    std::string shown = name;
    std::replace(shown.begin(), shown.end(), '_', ' ');
    const bool share = name == "accuracy" || name == "macro_f1" || name == "spearman" || name == "pearson";
    fmt::print("{:<20}{:.{}f}{}\n", shown, share ? 100 * value : value, share ? 2 : 4, share ? " %" : "");
  }
}

}  // namespace

int eval_texts(const std::string& model, const EvalFlags& flags) {
  const at::Device device = open_device(flags.device, "--device");
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  NamedText named = open_named_text(
      model, "eval",
      {TextHead::masked_lm, TextHead::causal_lm, TextHead::sequence_classification, TextHead::encoder});
  const std::string task = task_of(named.model->config());
  if (flags.pseudo_perplexity && task != "mlm")
    fail(ExitCode::usage, "--pseudo-perplexity: {} is no masked language model", model);
  check_max_length(named, flags.max_length);
  const std::string prompt = task == "embed" ? named.prompt(flags.prompt_name, model) : "";
  if (!prompt.empty()) named.notes.push_back(fmt::format("before each text: '{}'", printable(prompt)));
  print_notes(named.notes, flags.quiet);
  const Config config =
      config_of(flags, task,
                flags.max_length > 0 ? flags.max_length : std::min(named.max_length, kSampleTokens), prompt);
  std::unique_ptr<ScratchFolder> scratch;
  if (flags.cache_dir.empty()) scratch = std::make_unique<ScratchFolder>();
  const double start = now_seconds();
  const TextDataset data =
      open_text(config, named.tokenizer, scratch ? scratch->path() : fs::path(flags.cache_dir));
  MGD_ASSERT(data.test != nullptr);
  Console console(flags.quiet, "never");
  console.note(fmt::format("{} at {}: {} samples of {}", named.model->architecture(), task, data.test->size(),
                           flags.data));
  for (const std::string& note : data.notes) console.note(note);
  for (const auto& [where, what] : data.changes)
    console.note(fmt::format("{}: {}", printable(where), printable(what)));
  for (const UnreadDocuments& split : data.unread)
    for (const std::string& line : unread_lines(split)) console.note(line);
  named.model->to(device);
  const Figures figures = measure(named, config, data, flags, device);
  require_finite_figures(figures, model, flags.data);
  const double seconds = now_seconds() - start;
  if (!flags.json) {
    print_figures(figures);
    return 0;
  }
  json metrics = json::object();
  for (const auto& [name, value] : figures) metrics[name] = value;
  fmt::print("{}\n", json{{"metrics", metrics},
                          {"samples", data.test->size()},
                          {"seconds", seconds},
                          {"model", model},
                          {"data", flags.data},
                          {"split", flags.split}}
                         .dump(-1, ' ', false, json::error_handler_t::replace));
  return 0;
}

}  // namespace mgd
