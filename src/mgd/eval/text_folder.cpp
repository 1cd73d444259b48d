#include "mgd/eval/text_folder.h"

#include <ATen/ops/tensor.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/eval/kept_layers.h"
#include "mgd/model/text_names.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {

namespace {

bool has_pooler(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors)
    if (name.ends_with("pooler.dense.weight")) return true;
  return false;
}

// A config.json without `architectures` leaves it to the names of the weights.
void settle_head(TextFolder& content, std::vector<std::string>& notes) {
  TextConfig& config = content.config;
  if (config.names_class) return;
  config.head = head_of_tensors(config.model_type, content.tensors).value_or(TextHead::encoder);
  notes.push_back(fmt::format(
      "config.json names no class; by its weights it is a {} with {}", config.model_type,
      config.head == TextHead::encoder ? "body alone"
                                       : fmt::format("a head for {}", text_head_name(config.head))));
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 4;
  std::string text = fmt::format(
      "{}", fmt::join(names.begin(),
                      names.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, names.size())), ", "));
  return names.size() > kMost ? text + ", ..." : text;
}

void tell(const AdaptedWeights& adapted, std::vector<std::string>& notes) {
  if (!adapted.wrapper.empty())
    notes.push_back(fmt::format("the names of all weights begin with '{}', which is left out",
                                printable(adapted.wrapper)));
  if (!adapted.unused.empty())
    notes.push_back(fmt::format("{} weights are of a head that is not used: {}", adapted.unused.size(),
                                printable(listed(adapted.unused))));
}

// The rows of the output layer as the fit wants them.
void settle_output(const TextModel& model, const LabelFit& fit, AdaptedWeights& adapted) {
  const char* const out = text_names(model.config().model_type).sequence.out;
  if (out == nullptr || (fit.rows.empty() && !fit.fresh)) return;
  for (const NamedTensor& entry : model.state()) {
    if (entry.name != std::string(out) + ".weight" && entry.name != std::string(out) + ".bias") continue;
    const auto found = adapted.tensors.find(entry.name);
    if (found == adapted.tensors.end()) continue;
    if (!fit.fresh) {
      found->second = found->second.index_select(0, at::tensor(fit.rows, at::kLong));
    } else if (std::find(adapted.fresh.begin(), adapted.fresh.end(), entry.name) == adapted.fresh.end()) {
      found->second = entry.tensor.detach();
      adapted.fresh.push_back(entry.name);
    }
  }
}

// A static model has no layers to keep and no place for a head. Its tokenizer, read as `unframed`, says what
// is unknown, which does not count.
void settle_static(const std::string& folder, const OpenTextOptions& options, TextConfig& config) {
  if (!options.layers.empty())
    fail(ExitCode::usage, "{}: a static model has no layers; student.layers is for models with some", folder);
  if (options.head && *options.head != TextHead::encoder)
    fail(ExitCode::usage,
         "{}: a static model gives one vector a text and has no head for {}; its task is embed", folder,
         text_head_name(*options.head));
  if (config.table.counts_unknown || !holds_tokenizer(folder)) return;
  if (const auto unknown = Tokenizer::load(folder).unknown_id()) config.table.left_out = {*unknown};
}

}  // namespace

OpenedText open_text_folder(const std::string& folder, const OpenTextOptions& options) {
  TextFolder content = load_text_folder(folder);
  TextConfig& config = content.config;
  std::vector<std::string> notes;
  if (config.is_static()) settle_static(folder, options, config);
  settle_head(content, notes);
  keep_layers(content, options.layers, notes);
  const LabelFit fit = options.fit_labels ? options.fit_labels(config) : LabelFit{};
  bool other_head = options.head.has_value() && *options.head != config.head;
  if (options.head) {
    config.head = *options.head;
  } else if (options.head_of_body && config.head == TextHead::encoder && config.decoder() &&
             config.tie_embeddings && !has_pooler(content.tensors)) {
    config.head = *options.head_of_body;
    other_head = true;
    notes.push_back(
        fmt::format("the folder holds a body alone; its table of embeddings serves as the head for {}",
                    text_head_name(config.head)));
  }
  if (fit.num_labels > 0) {
    config.num_labels = fit.num_labels;
    config.label_names = fit.names;
    if (!config.problem_type.empty()) config.problem_type = "single_label_classification";
  }
  if (options.adjust) options.adjust(config);
  config.pooler = config.head == TextHead::encoder && has_pooler(content.tensors);
  OpenedText opened{.model = make_text_model(config, options.seed),
                    .tokenizer = std::move(content.tokenizer),
                    .fresh = {},
                    .notes = std::move(notes)};
  AdaptedWeights adapted = adapt_weights(*opened.model, std::move(content.tensors), other_head || fit.fresh);
  settle_output(*opened.model, fit, adapted);
  opened.fresh = std::move(adapted.fresh);
  tell(adapted, opened.notes);
  load_state(*opened.model, adapted.tensors, folder);
  require_finite(*opened.model, folder);
  return opened;
}

std::vector<std::string> label_names_of(const TextConfig& config) {
  std::vector<std::string> numbers;
  for (std::int64_t i = 0; i < config.num_labels; ++i) {
    const auto place = static_cast<std::size_t>(i);
    if (place < config.label_names.size() && config.label_names[place] != fmt::format("LABEL_{}", i))
      return config.label_names;
    numbers.push_back(std::to_string(i));
  }
  return numbers;
}

bool knows_tokens(const TextModel& model, const Tokenizer& tokenizer) {
  for (std::int64_t id = model.config().vocab_size; id < tokenizer.vocab_size(); ++id)
    if (tokenizer.has_id(id) && id != tokenizer.special_tokens().pad) return false;
  return true;
}

void save_text_model(const std::string& folder, const TextModel& model,
                     const std::map<std::string, std::string>& tokenizer) {
  save_text_model(folder, model.config(), state_of(model), tokenizer);
}

void save_text_model(const std::string& folder, const TextConfig& config, const TensorMap& tensors,
                     const std::map<std::string, std::string>& tokenizer) {
  save_text_folder(folder, {.config = config, .tensors = tensors, .tokenizer = tokenizer});
}

}  // namespace mgd
