// How a model folder wants its text generated: generation_config.json of transformers, or, where there is
// none, the same keys in config.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// What binds the next token whatever is searched or drawn. Lengths are those of the decoder, with what it
// read first (a decoder's prompt, an encoder-decoder's start token), unless they say "new".
struct GenerationRules {
  std::vector<std::int64_t> ends;                   // each ends the text
  std::vector<std::int64_t> forced_ends;            // the last possible token is one of them; empty: any
  std::int64_t forced_begin = -1;                   // the token behind a single first one; -1: any
  std::int64_t min_length = 0, min_new_tokens = 0;  // no end before
  std::int64_t no_repeat_ngram = 0;                 // no run of so many tokens comes twice; 0: off
  std::vector<std::int64_t> suppressed, suppressed_at_begin;
  std::vector<std::vector<std::int64_t>> bad_words;  // each a run of tokens that is never completed
};

struct GenerationSettings {
  GenerationRules rules;
  bool sample = false;  // false: temperature, top_k, top_p and min_p mean nothing
  double temperature = 1, top_p = 1, min_p = 0, repetition_penalty = 1, length_penalty = 1;
  std::int64_t top_k = -1, num_beams = 1;           // top_k: -1: not said, which is 50 where the file samples
  std::int64_t max_length = 0, max_new_tokens = 0;  // 0: not said; the second overrules the first
  std::string early_stopping = "no";                // no | yes | never
  std::vector<std::string>
      stated;  // "num_beams 4": what is honoured, but for the ids that every folder states
  std::vector<std::string> left_out;  // "typical_p 0.9": said there, and not supported
};

// Error(bad_data) names a key whose value makes no sense.
GenerationSettings parse_generation_settings(std::string_view json, const std::string& source);

// The settings that a config.json holds, as the text of a generation_config.json. What is not there has the
// default of the architecture (BART ends with its token 2).
std::string generation_settings_of_config(std::string_view config_json, const std::string& source);

}  // namespace mgd
