#include "mgd/ops/attention_check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

constexpr std::string_view kWhere = "masked_attention";

bool has_kernel(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kBFloat16;
}

// Of one type, on one device, with heads and a width that fit; head_dim is the place of the heads.
bool fit_together(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t heads) {
  const auto like_q = [&](const at::Tensor& t) {
    return t.scalar_type() == q.scalar_type() && t.device() == q.device();
  };
  return has_kernel(q.scalar_type()) && like_q(k) && like_q(v) && k.sizes() == v.sizes() && q.size(-1) > 0 &&
         q.size(-1) == k.size(-1) && q.size(heads) > 0 && k.size(heads) > 0 &&
         q.size(heads) % k.size(heads) == 0;
}

[[noreturn]] void refuse_rows(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              std::string_view expected) {
  fail(ExitCode::usage,
       "{}: got q {}, k {}, v {}; expected {} of float, double or bfloat16, all three of one type and on one "
       "device, with H a multiple of G",
       kWhere, outline_of(q), outline_of(k), outline_of(v), expected);
}

// Whether no two of the ranges [begin, begin + length) overlap. They usually stand in order.
bool disjoint(std::vector<std::pair<std::int64_t, std::int64_t>> ranges) {
  std::erase_if(ranges, [](const auto& r) { return r.second == 0; });
  if (!std::is_sorted(ranges.begin(), ranges.end())) std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i - 1].first + ranges[i - 1].second > ranges[i].first) return false;
  return true;
}

// Without a sum that could overflow.
bool inside(std::int64_t begin, std::int64_t length, std::int64_t rows) {
  return begin >= 0 && length >= 0 && begin <= rows && length <= rows - begin;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

at::Tensor expanded_to(const at::Tensor& tensor, const char* what, const char* type, bool right_type,
                       const std::vector<std::int64_t>& shape) {
  bool fits = right_type && tensor.dim() == static_cast<std::int64_t>(shape.size());
  for (std::size_t d = 0; fits && d < shape.size(); ++d) {
    const std::int64_t size = tensor.size(static_cast<std::int64_t>(d));
    fits = size == shape[d] || size == 1;
  }
  if (!fits)
    refuse("attention mask", what, tensor,
           fmt::format("{} {}, any of these dimensions may be 1", type, text_of(shape)));
  return tensor.expand(shape);
}

}  // namespace

void check_packed(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const bool rank = q.defined() && k.defined() && v.defined() && q.dim() == 3 && k.dim() == 3 && v.dim() == 3;
  if (!rank || !fit_together(q, k, v, 1)) refuse_rows(q, k, v, "(N, H, D), (M, G, D), (M, G, D)");
}

void check_padded(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const bool rank = q.defined() && k.defined() && v.defined() && q.dim() == 4 && k.dim() == 4 && v.dim() == 4;
  if (!rank || q.size(0) != k.size(0) || !fit_together(q, k, v, 1))
    refuse_rows(q, k, v, "(B, H, T, D), (B, G, S, D), (B, G, S, D)");
}

void check_options(const AttentionOptions& options) {
  if (!(options.dropout >= 0 && options.dropout < 1))
    fail(ExitCode::usage, "{}: dropout: got {}, expected 0 <= p < 1", kWhere, options.dropout);
  if (!std::isfinite(options.scale) || options.scale < 0)
    fail(ExitCode::usage, "{}: scale: got {}, expected above 0, or 0 for 1 / sqrt(D)", kWhere, options.scale);
  if (options.window < -1)
    fail(ExitCode::usage, "{}: window: got {}, expected 0 or more, or -1 for no limit", kWhere,
         options.window);
}

void check_segments(const std::vector<AttentionSegment>& segments, std::int64_t q_rows, std::int64_t k_rows,
                    bool backward) {
  std::vector<std::pair<std::int64_t, std::int64_t>> queries, keys;
  for (const AttentionSegment& s : segments) {
    if (!inside(s.q_begin, s.q_length, q_rows))
      fail(ExitCode::usage, "{}: a segment of {} queries from row {}: reaches outside the {} rows of q",
           kWhere, s.q_length, s.q_begin, q_rows);
    if (!inside(s.k_begin, s.k_length, k_rows))
      fail(ExitCode::usage, "{}: a segment of {} keys from row {}: reaches outside the {} rows of k", kWhere,
           s.k_length, s.k_begin, k_rows);
    queries.emplace_back(s.q_begin, s.q_length);
    keys.emplace_back(s.k_begin, s.k_length);
  }
  if (!disjoint(std::move(queries)))
    fail(ExitCode::usage, "{}: two segments share a query, expected each in one segment at most", kWhere);
  if (backward && !disjoint(std::move(keys)))
    fail(ExitCode::usage, "{}: two segments share a key, which is for passes without gradient", kWhere);
}

AttentionMask expanded(const AttentionMask& mask, std::int64_t batch, std::int64_t queries,
                       std::int64_t keys) {
  if (mask.window < -1)
    fail(ExitCode::usage, "attention mask: window: got {}, expected 0 or more, or -1 for no limit",
         mask.window);
  if (mask.q_documents.defined() != mask.key_documents.defined())
    fail(ExitCode::usage, "attention mask: documents: got those of the {} alone, expected both or neither",
         mask.q_documents.defined() ? "queries" : "keys");
  const auto keep = [](const at::Tensor& t, const char* what, const std::vector<std::int64_t>& shape) {
    return t.defined() ? expanded_to(t, what, "bool (true = visible)", t.scalar_type() == at::kBool, shape)
                       : t;
  };
  const auto numbers = [](const at::Tensor& t, const char* what, const std::vector<std::int64_t>& shape) {
    return t.defined() ? expanded_to(t, what, "int64", t.scalar_type() == at::kLong, shape) : t;
  };
  AttentionMask all = mask;
  all.key_keep = keep(mask.key_keep, "key_keep", {batch, keys});
  all.extra = keep(mask.extra, "extra", {batch, queries, keys});
  all.q_documents = numbers(mask.q_documents, "q_documents", {batch, queries});
  all.key_documents = numbers(mask.key_documents, "key_documents", {batch, keys});
  return all;
}

}  // namespace mgd
