#include "mgd/generate/sampling.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mgd/core/error.h"
#include "mgd/core/philox.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

constexpr double kHidden = -std::numeric_limits<double>::infinity();
constexpr double kLargest = std::numeric_limits<float>::max();

at::Tensor without(const at::Tensor& logits, const at::Tensor& removed) {
  return logits.masked_fill(removed, kHidden);
}

TokenIds ids_of(const at::Tensor& ids) {  // (B) int64
  const at::Tensor plain = ids.to(at::kCPU).contiguous();
  return {plain.const_data_ptr<std::int64_t>(), plain.const_data_ptr<std::int64_t>() + plain.numel()};
}

// The first token, in the order of the vocabulary, at which the sum of weights exceeds u of the whole.
std::int64_t draw_one(std::span<const double> weights, double u) {
  double total = 0, sum = 0;
  for (const double weight : weights) total += weight;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = static_cast<std::int64_t>(i);
    sum += weights[i];
    if (sum > u * total) return last;
  }
  return last;
}

}  // namespace

namespace {

void require_rows(const at::Tensor& logits, std::size_t count, const char* of) {
  if (!is_real(logits, 2) || static_cast<std::size_t>(logits.size(0)) != count)
    refuse("sampling", "logits", logits, fmt::format("({}, V), one row for each of the {}", count, of));
}

}  // namespace

void check_sampling(const SamplingOptions& options) {
  if (options.greedy() && (options.top_k > 0 || options.top_p < 1 || options.min_p > 0))
    fail(ExitCode::usage,
         "top_k, top_p, min_p: they choose what is drawn from, but temperature 0 draws nothing; expected a "
         "temperature above 0, e.g. 1");
}

at::Tensor penalise_repetition(const at::Tensor& logits, std::span<const TokenIds> sequences,
                               double penalty) {
  require_rows(logits, sequences.size(), "sequences");
  at::Tensor out = logits.to(at::kCPU, at::kFloat).contiguous().clone();
  const std::int64_t V = out.size(1);
  auto* row = out.mutable_data_ptr<float>();
  for (const TokenIds& sequence : sequences) {
    TokenIds seen = sequence;
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    for (const std::int64_t id : seen) {
      if (id < 0 || id >= V) fail(ExitCode::usage, "sampling: got token {}, expected 0 to {}", id, V - 1);
      const double logit = row[id], moved = logit < 0 ? logit * penalty : logit / penalty;
      if (std::isfinite(logit)) row[id] = static_cast<float>(std::clamp(moved, -kLargest, kLargest));
    }
    row += V;
  }
  return out;
}

at::Tensor tempered(const at::Tensor& logits, double temperature) {
  constexpr double kLeast = 1e-30;  // its reciprocal stays in range
  const at::Tensor exact = logits.to(at::kDouble);
  return (exact - exact.amax(-1, /*keepdim=*/true)).div(std::max(temperature, kLeast)).to(at::kFloat);
}

at::Tensor keep_top_k(const at::Tensor& logits, std::int64_t k) {
  const at::Tensor kept = std::get<0>(logits.topk(std::min(k, logits.size(1))));
  return without(logits, logits.lt(kept.narrow(1, kept.size(1) - 1, 1)));
}

at::Tensor keep_top_p(const at::Tensor& logits, double p) {
  const auto [sorted, order] = logits.sort(/*dim=*/-1, /*descending=*/false);
  at::Tensor removed = sorted.softmax(-1).cumsum(-1).le(1 - p);  // the unlikeliest first
  removed.select(1, removed.size(1) - 1).fill_(false);
  return without(logits, removed.scatter(1, order, removed));
}

at::Tensor keep_min_p(const at::Tensor& logits, double p) {
  const at::Tensor probs = logits.softmax(-1);
  return without(logits, probs.lt(probs.amax(-1, /*keepdim=*/true).mul(p)));
}

TokenIds draw(const at::Tensor& logits, std::uint64_t seed, std::span<const DrawPlace> places) {
  require_rows(logits, places.size(), "places");
  const PhiloxKey key = random_key(seed, "generate");
  const at::Tensor probs = logits.to(at::kCPU, at::kDouble).softmax(-1).contiguous();
  const auto V = static_cast<std::size_t>(probs.size(1));
  const auto* row = probs.const_data_ptr<double>();
  TokenIds ids;
  for (const DrawPlace& place : places) {
    RandomStream random(key, place.position, place.sample);
    ids.push_back(draw_one({row, V}, random.uniform()));
    row += V;
  }
  return ids;
}

TokenIds choose(const at::Tensor& given, std::span<const DrawPlace> places, const SamplingOptions& options) {
  if (!at::isfinite(given.amax(-1)).all().item<bool>())
    fail(ExitCode::bad_data,
         "the model's scores of the next token are NaN or infinite, or every token is ruled out; nothing "
         "can be chosen");
  if (options.greedy()) return ids_of(given.argmax(-1));
  at::Tensor scores = options.temperature != 1 ? tempered(given, options.temperature) : given;
  if (options.top_k > 0) scores = keep_top_k(scores, options.top_k);
  if (options.top_p < 1) scores = keep_top_p(scores, options.top_p);
  if (options.min_p > 0) scores = keep_min_p(scores, options.min_p);
  return draw(scores, options.seed, places);
}

TokenIds next_tokens(const at::Tensor& logits, std::span<const TokenIds> sequences,
                     std::span<const DrawPlace> places, const SamplingOptions& options) {
  return choose(options.repetition_penalty != 1
                    ? penalise_repetition(logits, sequences, options.repetition_penalty)
                    : logits,
                places, options);
}

}  // namespace mgd
