// The tokenizer.json of a learned vocabulary.
#pragma once

#include <string>
#include <vector>

#include "mgd/text/tokenizer.h"
#include "mgd/text/train_merges.h"

namespace mgd {

// wordpiece, bpe or char (see TokenizerTraining). Throws Error(usage) for another kind.
std::vector<std::string> template_special_tokens(const std::string& kind);

// The special tokens are the first of the vocabulary.
std::string tokenizer_template(const std::string& kind, bool lowercase, const LearnedMerges& learned);

// The tokenizer_config.json that tells other libraries what the special tokens are for.
std::string tokenizer_config(const Tokenizer& tokenizer);

}  // namespace mgd
