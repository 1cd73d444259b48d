// Losses between two layers of Transformers on the same tokens: scores of attention, and hidden rows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/loss/feature.h"

namespace mgd {

// Jiao et al., "TinyBERT", 2020, equation (7): the squared error of the scores before the softmax, mean over
// heads, over pairs of tokens of a document that both attentions see. Count: those pairs. The authors' code
// also averages over padding; here there is none. Scores are what the softmax sees: rotary positions have
// turned queries and keys. Both have as many heads.
std::unique_ptr<Loss> make_score_loss(std::string label, const LossOptions& options,
                                      const AttentionNodes& student, const AttentionNodes& teacher);

// Equations (8) and (9): the squared error of hidden rows, through one map for all pairs where widths differ
// or `align: always` asks, added over the pairs, which are at least one and all of the same widths. Count:
// elements of one layer. The map has a bias, as the authors' code.
std::unique_ptr<Loss> make_hidden_rows_loss(const LossEntry& entry, std::string label,
                                            const LossOptions& options, std::vector<TapPair> pairs,
                                            const std::string& align);

}  // namespace mgd
