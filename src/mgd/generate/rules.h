// What binds the next token: GenerationRules as transformers' logits processors apply them, in their order.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "mgd/generate/course.h"

namespace mgd {

struct RuledRow {
  const TokenIds* sequence;  // what was read so far, with the start
  const Course* course;
};

// Scores (R, V), one row each -> the same with tokens that are ruled out at -inf; where a token is forced, it
// has the score 0 and all others are ruled out. Rows without rules that matter now are left alone.
at::Tensor apply_rules(const at::Tensor& scores, std::span<const RuledRow> rows);

}  // namespace mgd
