// Logits of the next token -> the next token, in the order of transformers: repetition penalty, rules
// (generate/rules.h), temperature, top-k, top-p, min-p, draw.
//
// Options may be as extreme as their ranges allow: sums and quotients stay in range, so a temperature near 0
// tends to the likeliest token and a penalty near 0 to the tokens that were there.
//
// Each step is a pure function of (B, V) logits, one row a sequence; a hidden token's logit is -inf.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace mgd {

using TokenIds = std::vector<std::int64_t>;

struct SamplingOptions {
  double temperature = 0;         // 0: the likeliest token, nothing is drawn
  std::int64_t top_k = 0;         // 0: off
  double top_p = 1;               // 1: off
  double min_p = 0;               // 0: off
  double repetition_penalty = 1;  // 1: off
  std::uint64_t seed = 1;

  bool greedy() const { return temperature == 0; }
};

// The logits of the tokens that the sequence holds already, once each: divided by `penalty` where they are
// positive, else multiplied by it (Keskar et al., CTRL, 2019).
at::Tensor penalise_repetition(const at::Tensor& logits, std::span<const TokenIds> sequences, double penalty);

// (logits - their maximum) / temperature: differences are all that counts, and they stay in range. Below
// 1e-30 a temperature changes nothing more. temperature > 0.
at::Tensor tempered(const at::Tensor& logits, double temperature);

// Keeps the k likeliest tokens, and those as likely as the last of them. 1 <= k.
at::Tensor keep_top_k(const at::Tensor& logits, std::int64_t k);

// Keeps the smallest set of likeliest tokens whose probabilities reach p, at least one (nucleus sampling,
// Holtzman et al. 2020).
at::Tensor keep_top_p(const at::Tensor& logits, double p);

// Keeps tokens at least p times as likely as the likeliest (Nguyen et al. 2024).
at::Tensor keep_min_p(const at::Tensor& logits, double p);

// What is drawn is a function of (seed, sample, position) and its logits: neither the other rows of a batch
// nor a cache changes it.
struct DrawPlace {
  std::uint64_t sample = 0;
  std::uint32_t position = 0;  // number of new tokens before this one
};

// One id a row; each row may hold -inf, but not alone.
TokenIds draw(const at::Tensor& logits, std::uint64_t seed, std::span<const DrawPlace> places);

// The chain behind the repetition penalty and the rules. Error(bad_data) for a row that holds NaN or
// infinity, or nothing but hidden tokens.
TokenIds choose(const at::Tensor& scores, std::span<const DrawPlace> places, const SamplingOptions& options);

// The whole chain without rules: `sequences` are what each row has read so far.
TokenIds next_tokens(const at::Tensor& logits, std::span<const TokenIds> sequences,
                     std::span<const DrawPlace> places, const SamplingOptions& options);

// Error(usage) for options that contradict each other: a filter without a temperature.
void check_sampling(const SamplingOptions& options);

}  // namespace mgd
