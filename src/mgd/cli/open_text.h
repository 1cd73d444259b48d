// A text model and its tokenizer, as the verbs take them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "mgd/eval/text_folder.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

struct NamedText {
  std::unique_ptr<TextModel> model;
  Tokenizer tokenizer;
  std::int64_t max_length = 0;  // most tokens of a text: of model, tokenizer and sentence_bert_config.json
};

// A folder of Hugging Face's form whose model has one of `heads`. Throws Error(missing_input) when there is
// no such folder, and Error(usage) that says what the model is and which verb takes it.
NamedText open_named_text(const std::string& folder, const std::string& verb,
                          const std::vector<TextHead>& heads);

// The texts in batches: each argument, and for `-` each line of standard input that is not empty.
// Error(missing_input) when there is none.
void for_text_batches(std::span<const std::string> args, std::int64_t batch_size,
                      const std::function<void(std::span<const std::string>)>& visit);

// The lines of a file (`-`: standard input) that are not empty, without their line break.
std::vector<std::string> text_lines(const std::string& file);

}  // namespace mgd
