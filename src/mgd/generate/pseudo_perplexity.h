// How well a masked language model knows a text: each token hidden once, predicted from all others
// (pseudo-log-likelihood, Salazar et al. 2020).
#pragma once

#include "mgd/generate/masked_batch.h"

namespace mgd {

struct PseudoLikelihood {
  std::int64_t tokens = 0;    // that were hidden: all but special ones
  double nats = 0;            // - log probability of each, summed
  double perplexity() const;  // exp(nats / tokens); 1 without tokens
  void add(const PseudoLikelihood& other);
};

struct PseudoOptions {
  std::int64_t batch_tokens = 4096;  // of one forward pass, copies of the text included
  at::Device device = at::kCPU;
};

// `ids` are what the model reads, special tokens included; a text of n tokens is read n times. Throws like
// require_masked_lm and mask_id.
PseudoLikelihood pseudo_likelihood(TextModel& model, const Tokenizer& tokenizer, const TokenIds& ids,
                                   const PseudoOptions& options = {});

}  // namespace mgd
