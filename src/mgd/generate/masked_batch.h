// Sequences of a masked language model as one batch.
#pragma once

#include <functional>
#include <utility>

#include "mgd/generate/sampling.h"
#include "mgd/model/text_model.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

struct MaskedSequence {
  TokenIds ids, type_ids;           // type_ids: empty: all 0
  std::vector<std::int64_t> asked;  // places whose token is asked for, ascending
};

// The output layer at the places that are asked for, one row each, in their order. No gradient. An
// encoder-decoder (BART) reads the sequence with its decoder too, moved by one behind the start token.
LmHead answer_masked(TextModel& model, std::span<const MaskedSequence> sequences, at::Device device);

// Whether the model fills in: a masked_lm head, or an encoder-decoder's causal_lm. Otherwise Error(usage)
// that names what it is.
void require_masked_lm(const TextModel& model);

// Error(usage) where the tokenizer has none.
std::int64_t mask_id(const Tokenizer& tokenizer);

// A text as the model reads it. Error(usage) for one that is too long: a part of it would be lost.
MaskedSequence read_masked(const TextModel& model, const Tokenizer& tokenizer, const std::string& text);

}  // namespace mgd
