// What the files beside a tokenizer.json change in it, as transformers does when it opens the folder.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mgd/core/file.h"

namespace mgd {

// tokenizer_config.json: `do_lower_case`, `strip_accents` and `tokenize_chinese_chars` of BERT's kinds,
// `add_prefix_space` of byte-level ones. sentence_bert_config.json: `do_lower_case`. Gives whether `document`
// has changed. An empty folder, or one without these files, changes nothing.
bool apply_folder_settings(nlohmann::json& document, const fs::path& folder);

// The tokenizer.json of a vocab.txt, one token a line, as BertTokenizerFast makes it; tokenizer_config.json
// and special_tokens_map.json beside it are obeyed. Throws Error(bad_data) for another kind of tokenizer, and
// where a special token is not in the vocabulary.
nlohmann::json bert_tokenizer(const fs::path& vocab_txt);

}  // namespace mgd
