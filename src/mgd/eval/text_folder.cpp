#include "mgd/eval/text_folder.h"

namespace mgd {

namespace {

bool has_pooler(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors)
    if (name.ends_with("pooler.dense.weight")) return true;
  return false;
}

}  // namespace

OpenedText open_text_folder(const std::string& folder, const OpenTextOptions& options) {
  TextFolder content = load_text_folder(folder);
  TextConfig& config = content.config;
  const bool other_head = options.head.has_value() && *options.head != config.head;
  if (options.head) config.head = *options.head;
  if (options.num_labels > 0) {
    config.num_labels = options.num_labels;
    config.label_names = options.label_names;
  }
  config.pooler = config.head == TextHead::encoder && has_pooler(content.tensors);
  OpenedText opened{.model = make_text_model(config, options.seed),
                    .tokenizer = std::move(content.tokenizer)};
  AdaptedWeights adapted = adapt_weights(*opened.model, std::move(content.tensors), other_head);
  opened.fresh = std::move(adapted.fresh);
  load_state(*opened.model, adapted.tensors, folder);
  require_finite(*opened.model, folder);
  return opened;
}

void save_text_model(const std::string& folder, const TextModel& model,
                     const std::map<std::string, std::string>& tokenizer) {
  save_text_folder(folder, {.config = model.config(), .tensors = state_of(model), .tokenizer = tokenizer});
}

}  // namespace mgd
