#include "mgd/generate/pseudo_perplexity.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "mgd/ops/masked_cross_entropy.h"

namespace mgd {

double PseudoLikelihood::perplexity() const {
  return tokens > 0 ? std::exp(nats / static_cast<double>(tokens)) : 1;
}

void PseudoLikelihood::add(const PseudoLikelihood& other) {
  tokens += other.tokens;
  nats += other.nats;
}

PseudoLikelihood pseudo_likelihood(TextModel& model, const Tokenizer& tokenizer, const TokenIds& ids,
                                   const PseudoOptions& options) {
  require_masked_lm(model);
  const std::int64_t mask = mask_id(tokenizer);
  std::vector<std::int64_t> places;
  for (std::size_t t = 0; t < ids.size(); ++t)
    if (!tokenizer.is_special(ids[t])) places.push_back(static_cast<std::int64_t>(t));
  const auto copies = std::max<std::size_t>(
      1, static_cast<std::size_t>(options.batch_tokens) / std::max<std::size_t>(1, ids.size()));
  PseudoLikelihood sum;
  for (std::size_t begin = 0; begin < places.size(); begin += copies) {
    std::vector<MaskedSequence> sequences;
    TokenIds targets;
    for (std::size_t i = begin; i < std::min(begin + copies, places.size()); ++i) {
      const auto place = static_cast<std::size_t>(places[i]);
      sequences.push_back({.ids = ids, .type_ids = {}, .asked = {places[i]}});
      sequences.back().ids[place] = mask;
      targets.push_back(ids[place]);
    }
    const LmHead head = answer_masked(model, sequences, options.device);
    const TokenScores scores = score_targets(head, at::tensor(targets, at::kLong).to(options.device));
    sum.nats += scores.nll.to(at::kDouble).sum().item<double>();
    sum.tokens += static_cast<std::int64_t>(targets.size());
  }
  return sum;
}

}  // namespace mgd
