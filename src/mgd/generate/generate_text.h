// Generation from texts to texts.
#pragma once

#include <functional>
#include <string>

#include "mgd/generate/generate.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

struct GeneratedText {
  std::string text;  // what is new, without special tokens; ends before a stop string
  TokenIds tokens;   // the new ones as generated, with the end token or those of the stop string
  Ending ending = Ending::length;
};

struct TextPrompt {
  std::string text;
  std::uint64_t sample = 0;
};

// A piece of new text as soon as it is final: whole characters that are no part of a stop string.
using OnText = std::function<void(std::size_t prompt, const std::string& piece)>;

// A decoder's prompt begins with the special tokens that the tokenizer opens a text with. Where there are
// none, an empty one is the start token (or the end token) alone. Beam search gives its pieces at the end.
// Throws as generate() and Tokenizer::encode do.
std::vector<GeneratedText> generate_text(TextModel& model, const Tokenizer& tokenizer,
                                         std::span<const TextPrompt> prompts, const GenerateOptions& options,
                                         const std::vector<std::string>& stop = {},
                                         const OnText& on_text = {});

}  // namespace mgd
