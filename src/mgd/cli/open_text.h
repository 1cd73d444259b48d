// A text model and its tokenizer, as the verbs take them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/eval/text_folder.h"
#include "mgd/io/sentence_files.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

struct NamedText {
  std::unique_ptr<TextModel> model;
  Tokenizer tokenizer;
  std::int64_t max_length = 0;  // most tokens of a text: of model, tokenizer and sentence_bert_config.json
  SentenceFiles sentence;       // of an encoder
  std::map<std::string, std::string> files;  // that travel with the weights
  std::vector<std::string> notes;

  // See SentenceFiles::prompt. Error(usage) where the model leaves its tokens out of the pooling.
  std::string prompt(const std::string& name, const std::string& folder) const;
};

// A folder of Hugging Face's form whose model has one of `heads`, or is a body whose table of embeddings can
// serve as one. Throws Error(missing_input) when there is no such folder, and Error(usage) that says what the
// model is and which verb takes it.
NamedText open_named_text(const std::string& folder, const std::string& verb,
                          const std::vector<TextHead>& heads);

// Error(usage) for a --max-length beyond the model's positions; 0 is always right.
void check_max_length(const NamedText& named, std::int64_t max_length);

// Lines on standard error: what was guessed of a model, or left out.
void print_notes(const std::vector<std::string>& notes, bool quiet);

}  // namespace mgd
