// A mask in words, and as a drawing: for people who want to see what attention sees.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mgd/format/image.h"
#include "mgd/ops/attention_mask.h"

namespace mgd {

struct DescribedMask {
  AttentionMask mask;
  std::int64_t batch = 1, queries = 0, keys = 0;
};

// Words with commas between them, in any order; the mask hides what any of them hides:
//   causal           a query sees the keys up to its own place, counted from the end
//   window=W         at most W places away
//   lengths=A:B      a sequence each of A and B keys, padded to the longest, or to `keys`
//   documents=A:B    one sequence in which documents of A and B tokens lie end to end
//   keys=S, queries=T
// Without a size there are 8 keys; without `queries` as many as keys. "causal,window=4,lengths=3:5".
// Throws Error(usage) for other words (nearest named), numbers out of range, and sizes that contradict.
DescribedMask described_mask(std::string_view words);

// keep (T, S) bool -> T lines of 1 (seen) and 0 (hidden), blanks between, each line ending in a break.
std::string draw_keep(const at::Tensor& keep);

// keep (B, T, S) bool -> the B matrices one below the other, `cell` pixels a place: dark = seen.
Image picture_of_keep(const at::Tensor& keep, std::int64_t cell);

}  // namespace mgd
