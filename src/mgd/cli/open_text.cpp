#include "mgd/cli/open_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/text/pruned_vocabulary.h"

namespace mgd {

namespace {

// BART's one language model also fills in what is hidden.
bool fits(const TextConfig& config, const std::vector<TextHead>& heads) {
  const auto has = [&](TextHead head) { return std::find(heads.begin(), heads.end(), head) != heads.end(); };
  return has(config.head) ||
         (config.encoder_decoder() && config.head == TextHead::causal_lm && has(TextHead::masked_lm));
}

std::string fitting_verbs(const TextConfig& config) {
  switch (config.head) {
    case TextHead::masked_lm:
      return "mgd fill-mask takes it";
    case TextHead::causal_lm:
      return config.encoder_decoder() ? "mgd generate and mgd fill-mask take it" : "mgd generate takes it";
    case TextHead::sequence_classification:
    case TextHead::encoder:
      return "mgd predict takes it";
    case TextHead::token_classification:
      break;
  }
  return "mgd inspect takes it";
}

}  // namespace

NamedText open_named_text(const std::string& folder, const std::string& verb,
                          const std::vector<TextHead>& heads) {
  if (!fs::is_directory(folder)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
  if (!is_text_folder(folder))
    fail(ExitCode::usage,
         "{}: it is a model of pictures, or none; mgd {} takes a text model, mgd predict both", folder, verb);
  OpenTextOptions options;
  if (std::find(heads.begin(), heads.end(), TextHead::encoder) == heads.end())
    options.head_of_body = TextHead::causal_lm;
  OpenedText opened = open_text_folder(folder, options);
  const TextConfig& config = opened.model->config();
  if (!fits(config, heads)) {
    std::string wanted;
    for (const TextHead head : heads)
      wanted += (wanted.empty() ? "" : " or ") + std::string(text_head_name(head));
    fail(ExitCode::usage, "{}: it is {} with a head for {}; mgd {} takes models for {}; {}", folder,
         config.model_type, text_head_name(config.head), verb, wanted, fitting_verbs(config));
  }
  NamedText named{.model = std::move(opened.model),
                  .tokenizer = Tokenizer::load(folder),
                  .sentence = {},
                  .files = std::move(opened.tokenizer),
                  .notes = std::move(opened.notes)};
  if (named.model->config().is_static()) named.tokenizer = unframed(named.tokenizer, folder);
  if (named.model->config().head == TextHead::encoder) named.sentence = load_sentence_files(folder);
  if (!knows_tokens(*named.model, named.tokenizer))
    fail(ExitCode::bad_data, "{}: the tokenizer has {} tokens, but the model knows {}", folder,
         named.tokenizer.vocab_size(), named.model->config().vocab_size);
  named.max_length = named.model->max_tokens();
  for (const std::int64_t limit :
       {named.tokenizer.special_tokens().model_max_length, named.sentence.max_length})
    if (limit > 0) named.max_length = std::min(named.max_length, limit);
  return named;
}

std::string NamedText::prompt(const std::string& name, const std::string& folder) const {
  const std::string text = sentence.prompt(name, folder);
  if (!text.empty() && !model->config().pools_prompt)
    fail(ExitCode::usage,
         "{}: its pooling leaves the prompt out (include_prompt false), which is not supported; "
         "--prompt-name none "
         "embeds without one",
         folder);
  return text;
}

void check_max_length(const NamedText& named, std::int64_t max_length) {
  if (max_length > named.model->max_tokens())
    fail(ExitCode::usage, "--max-length: got {}, but {} takes at most {} tokens", max_length,
         named.model->architecture(), named.model->max_tokens());
}

void print_notes(const std::vector<std::string>& notes, bool quiet) {
  if (quiet) return;
  for (const std::string& note : notes) fmt::print(stderr, "{}\n", note);
}

}  // namespace mgd
