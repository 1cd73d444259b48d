// Text that goes on: a decoder (GPT-2) after a prompt, or an encoder-decoder (BART) from a source.
//
// Tokens are those of transformers' generate(): greedy, and beam search. A prompt's result depends neither on
// the other prompts of the batch nor on the cache.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "mgd/format/generation_settings.h"
#include "mgd/generate/sampling.h"
#include "mgd/model/text_model.h"

namespace mgd {

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 50;  // ends earlier where the model's table of positions does
  std::int64_t max_length = 0;  // above 0: in place of max_new_tokens, what the decoder reads first included
  std::int64_t num_beams = 1;   // above 1: beam search, which draws nothing
  double length_penalty = 1;    // beam search: exponent of the length that divides a score
  std::string early_stopping = "no";  // beam search: no | yes (when num_beams have ended) | never (by guess)
  std::optional<GenerationRules> rules;  // none: default_rules of the model
  bool cache = true;
  at::Device device = at::kCPU;
};

// The end tokens of the config; an encoder-decoder's last possible token is one of them.
GenerationRules default_rules(const TextConfig& config);

struct Prompt {
  TokenIds ids;              // what the decoder goes on from; encoder-decoder: the source
  std::uint64_t sample = 0;  // its number: the key of what is drawn
};

enum class Ending { end_token, stop, length };

struct Generated {
  TokenIds tokens;  // the new ones, with the end token
  Ending ending = Ending::length;
};

struct GenerateHooks {
  // Each new token as it comes; not with beams.
  std::function<void(std::size_t prompt, std::int64_t token)> on_token;
  // Whether the new tokens end the text.
  std::function<bool(std::span<const std::int64_t> tokens)> stops;
};

// One result a prompt. Error(usage): a model that does not generate, an empty prompt, one as long as the
// table of positions or max_length, options that contradict each other, rules with tokens beyond the
// vocabulary.
std::vector<Generated> generate(TextModel& model, std::span<const Prompt> prompts,
                                const GenerateOptions& options, const GenerateHooks& hooks = {});

}  // namespace mgd
