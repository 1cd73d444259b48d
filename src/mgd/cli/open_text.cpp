#include "mgd/cli/open_text.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/text/lines.h"

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

// sentence-transformers keeps the length that an encoder was trained for in a file of its own.
std::int64_t sentence_length(const std::map<std::string, std::string>& files) {
  const auto file = files.find("sentence_bert_config.json");
  if (file == files.end()) return 0;
  const auto object = nlohmann::json::parse(file->second, nullptr, /*allow_exceptions=*/false);
  const auto length = object.is_object() ? object.find("max_seq_length") : object.end();
  return length != object.end() && length->is_number_unsigned() ? length->get<std::int64_t>() : 0;
}

bool next_text(LineReader& lines, std::string& line) {
  while (lines.next(line)) {
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    if (!line.empty()) return true;
  }
  return false;
}

}  // namespace

NamedText open_named_text(const std::string& folder, const std::string& verb,
                          const std::vector<TextHead>& heads) {
  if (!fs::is_directory(folder)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
  if (!is_text_folder(folder))
    fail(ExitCode::usage,
         "{}: it is a model of pictures, or none; mgd {} takes a text model, mgd predict both", folder, verb);
  OpenedText opened = open_text_folder(folder);
  const TextConfig& config = opened.model->config();
  if (!fits(config, heads)) {
    std::string wanted;
    for (const TextHead head : heads)
      wanted += (wanted.empty() ? "" : " or ") + std::string(text_head_name(head));
    fail(ExitCode::usage, "{}: it is {} with a head for {}; mgd {} takes models for {}; {}", folder,
         config.model_type, text_head_name(config.head), verb, wanted, fitting_verbs(config));
  }
  NamedText named{.model = std::move(opened.model), .tokenizer = Tokenizer::load(folder)};
  if (named.tokenizer.vocab_size() > named.model->config().vocab_size)
    fail(ExitCode::bad_data, "{}: the tokenizer has {} tokens, but the model knows {}", folder,
         named.tokenizer.vocab_size(), named.model->config().vocab_size);
  named.max_length = named.model->max_tokens();
  for (const std::int64_t limit :
       {named.tokenizer.special_tokens().model_max_length, sentence_length(opened.tokenizer)})
    if (limit > 0) named.max_length = std::min(named.max_length, limit);
  return named;
}

void for_text_batches(std::span<const std::string> args, std::int64_t batch_size,
                      const std::function<void(std::span<const std::string>)>& visit) {
  std::vector<std::string> batch;
  bool any = false;
  const auto give = [&] {
    if (!batch.empty()) visit(batch);
    batch.clear();
  };
  const auto add = [&](std::string text) {
    any = true;
    batch.push_back(std::move(text));
    if (static_cast<std::int64_t>(batch.size()) == batch_size) give();
  };
  for (const std::string& arg : args) {
    if (arg != "-") {
      add(arg);
      continue;
    }
    LineReader lines(std::cin, "stdin");
    for (std::string line; next_text(lines, line);) add(line);
  }
  give();
  if (!any) fail(ExitCode::missing_input, "-: no text on standard input");
}

std::vector<std::string> text_lines(const std::string& file) {
  LineReader lines = file == "-" ? LineReader(std::cin, "stdin") : LineReader(fs::path(file));
  std::vector<std::string> texts;
  for (std::string line; next_text(lines, line);) texts.push_back(line);
  if (texts.empty()) fail(ExitCode::missing_input, "{}: no text there", file);
  return texts;
}

}  // namespace mgd
