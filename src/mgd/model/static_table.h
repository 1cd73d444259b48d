// What a static model consists of: a table of vectors. A text is the mean of the vectors of its tokens.
#pragma once

#include "mgd/format/text_config.h"
#include "mgd/nn/module.h"
#include "mgd/types/tokens.h"

namespace mgd {

// `embeddings` (rows, H) is trained; `mapping` (V) int64, the row of each token, and `weights` (V), what it
// counts, are not. Without a mapping token i has row i, without weights each counts 1.
class StaticTable : public Module {
 public:
  explicit StaticTable(const TextConfig& config);  // of zeros, for a file to fill

  // Tokens of S texts -> (S, H): sum of w_t E[row of t] over the tokens that count, divided by their number;
  // 0 for a text without any. Tokens of `table.left_out` do not count. Order and positions have no meaning.
  // Error(usage) for an id outside the vocabulary.
  at::Tensor forward(const PackedTokens& tokens) const;

 private:
  const std::int64_t vocab_size_;
  const std::vector<std::int64_t> left_out_;
  at::Tensor& embeddings_;
  at::Tensor *mapping_ = nullptr, *weights_ = nullptr;
};

}  // namespace mgd
