#include "mgd/ops/attention_mask.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include "mgd/core/error.h"
#include "mgd/ops/attention_check.h"

namespace mgd {

at::Tensor keep_matrix(const AttentionMask& given, std::int64_t batch, std::int64_t queries,
                       std::int64_t keys) {
  const AttentionMask mask = expanded(given, batch, queries, keys);
  const auto options = at::TensorOptions().dtype(at::kLong);
  const at::Tensor ahead =
      at::arange(keys, options).unsqueeze(0) - at::arange(keys - queries, keys, options).unsqueeze(1);
  at::Tensor keep = at::ones({batch, queries, keys}, at::TensorOptions().dtype(at::kBool));
  if (mask.causal) keep = keep & (ahead <= 0);
  if (mask.window >= 0) keep = keep & (ahead.abs() <= mask.window);
  if (mask.key_keep.defined()) keep = keep & mask.key_keep.unsqueeze(1);
  if (mask.q_documents.defined())
    keep = keep & (mask.q_documents.unsqueeze(2) == mask.key_documents.unsqueeze(1));
  if (mask.extra.defined()) keep = keep & mask.extra;
  return keep;
}

at::Tensor key_keep_from_lengths(const std::vector<std::int64_t>& lengths, std::int64_t keys) {
  for (const std::int64_t length : lengths)
    if (length < 0 || length > keys)
      fail(ExitCode::usage, "mask: lengths: got {}, expected 0 to the {} keys there are", length, keys);
  const auto options = at::TensorOptions().dtype(at::kLong);
  return at::arange(keys, options).unsqueeze(0) < at::tensor(lengths, options).unsqueeze(1);
}

at::Tensor key_keep_from_pad_ids(const at::Tensor& ids, std::int64_t pad_id) {
  return ids != pad_id;
}

at::Tensor key_keep_from_matrix(const at::Tensor& ones) {
  return ones != 0;
}

at::Tensor key_keep_from_zero_vectors(const at::Tensor& x) {
  // Any non-zero entry, instead of the sum of squares: a tiny vector's squares may all underflow to 0.
  return (x != 0).any(-1);
}

at::Tensor keep_from_ignore_mask(const at::Tensor& ignore) {
  return ignore.logical_not();
}

at::Tensor keep_from_additive_mask(const at::Tensor& values) {
  // Finite stand-ins for -inf, as small as the smallest number of half precision, are in use.
  constexpr double kHidden = -1e4;
  const at::Tensor keep = values == 0, hide = values <= kHidden;
  if (!(keep | hide).all().item<bool>())
    fail(ExitCode::usage, "mask: an additive mask holds 0 (keep) and -inf or numbers below {} (hide) only",
         kHidden);
  return keep;
}

}  // namespace mgd
