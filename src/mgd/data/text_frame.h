// The special tokens that a tokenizer puts around a text, or around and between two.
#pragma once

#include <cstdint>
#include <vector>

#include "mgd/text/tokenizer.h"
#include "mgd/types/text_sample.h"

namespace mgd {

struct FramePart {
  std::vector<std::int64_t> ids, type_ids;
};

// before TEXT after, or before FIRST between SECOND after.
struct TextFrame {
  FramePart before, between, after;
  std::int64_t first_type = 0, second_type = 0;
  std::int64_t size() const {
    return static_cast<std::int64_t>(before.ids.size() + between.ids.size() + after.ids.size());
  }
};

// Found by asking: what the tokenizer adds to a text, whatever its post-processor.
TextFrame single_frame(const Tokenizer& tokenizer);
TextFrame pair_frame(const Tokenizer& tokenizer);

// What stands around the documents that a causal model learns: what the tokenizer adds to a text, and behind
// that the end token of its vocabulary, where it has one and does not end in it anyway. A prompt begins with
// `before`.
TextFrame document_frame(const Tokenizer& tokenizer);

// Ids that say nothing of a text to a model without layers: the unknown token, if `unknown`, and what the
// tokenizer puts around a text. Ascending.
std::vector<std::int64_t> uncounted_ids(const Tokenizer& tokenizer, bool unknown);

// Tokens of one text, without special ones.
struct TokenPiece {
  std::vector<std::int64_t> ids;
  std::vector<std::uint8_t> word_start;
};

TextSequence framed(const TextFrame& frame, const TokenPiece& text);
TextSequence framed(const TextFrame& frame, const TokenPiece& first, const TokenPiece& second);

}  // namespace mgd
