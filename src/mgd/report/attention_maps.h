// What the attention of a model looks like on a text, for a report.
#pragma once

#include "mgd/model/model.h"
#include "mgd/ops/attention_mask.h"
#include "mgd/report/report.h"
#include "mgd/text/tokenizer.h"
#include "mgd/types/batch.h"

namespace mgd {

// One entry a layer (and a kind of attention, where an encoder-decoder has several) with a map a head, of the
// first sequence of `batch`; at most `max_tokens` of its tokens are shown. Runs the model once in eval mode.
std::vector<ReportAttention> attention_of(Model& model, const Tokenizer& tokenizer, const Batch& batch,
                                          std::int64_t max_tokens = 16);

// A mask on one row of tokens that look at themselves.
ReportAttention drawn_mask(const std::string& title, const std::string& note,
                           const std::vector<std::string>& tokens, const AttentionMask& mask);

// The tokens as text, white space made visible: labels of rows and columns.
std::vector<std::string> token_labels(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids);

}  // namespace mgd
