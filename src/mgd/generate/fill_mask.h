// What a masked language model puts where a text says [MASK].
#pragma once

#include <string>

#include "mgd/generate/masked_batch.h"

namespace mgd {

struct MaskGuess {
  std::int64_t token = -1;
  std::string token_str;  // the token alone, decoded
  double score = 0;       // probability over the whole vocabulary
  std::string sequence;   // the text with this token; other masks of the text stay and are shown
};

struct FilledText {
  std::vector<std::vector<MaskGuess>> masks;  // of each mask in the order of the text, the likeliest first
  at::Tensor logits;                          // (masks, V) float on the CPU
};

struct FillMaskOptions {
  std::int64_t top = 5;
  at::Device device = at::kCPU;
};

// The form and figures of transformers' fill-mask pipeline. Several masks (a word of several tokens is one
// mask a token) are each predicted with all others hidden: their guesses are independent given the text, and
// the best of each need not go together. Error(usage) for a model or tokenizer that cannot, and for a text
// without a mask, with the mask token of this model.
std::vector<FilledText> fill_mask(TextModel& model, const Tokenizer& tokenizer,
                                  std::span<const std::string> texts, const FillMaskOptions& options = {});

}  // namespace mgd
