#include "mgd/ops/score_distance.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

// Rows of queries with the keys that one of them may see, within a document of `tokens`.
struct Tile {
  std::int64_t first = 0, count = 0;   // queries
  std::int64_t key = 0, num_keys = 0;  // keys
};

Tile tile_at(std::int64_t first, std::int64_t count, std::int64_t tokens, const ScorePairs& pairs) {
  std::int64_t begin = 0, end = tokens;
  if (pairs.causal) end = first + count;
  if (pairs.window >= 0) {
    begin = std::max<std::int64_t>(0, first - pairs.window);
    end = std::min(end, first + count + pairs.window);
  }
  return {.first = first, .count = count, .key = begin, .num_keys = end - begin};
}

// (count, num_keys) bool, true = hidden; undefined: every pair of the tile is seen.
at::Tensor hidden_of(const Tile& tile, const ScorePairs& pairs, at::Device device) {
  if (!pairs.causal && pairs.window < 0) return {};
  const auto places = [&](std::int64_t from, std::int64_t count) {
    return at::arange(from, from + count, at::TensorOptions().dtype(at::kLong).device(device));
  };
  const at::Tensor ahead =  // j - i
      places(tile.key, tile.num_keys).unsqueeze(0) - places(tile.first, tile.count).unsqueeze(1);
  at::Tensor hidden;
  if (pairs.causal) hidden = ahead > 0;
  if (pairs.window < 0) return hidden;
  const at::Tensor beyond = ahead.abs() > pairs.window;
  return hidden.defined() ? at::logical_or(hidden, beyond) : beyond;
}

// The rows of a document as (A, T, D).
at::Tensor heads_of(const at::Tensor& x, std::int64_t first, std::int64_t tokens) {
  return x.narrow(0, first, tokens).transpose(0, 1);
}

double scale_of(const at::Tensor& q) {
  return 1 / std::sqrt(static_cast<double>(q.size(2)));
}

class ScoreDistance : public torch::autograd::Function<ScoreDistance> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                            const ScoreRows& teacher, const ScorePairs& pairs, std::int64_t max_scores,
                            bool need_gradient) {
    at::Tensor total = at::zeros({}, q.options());
    at::Tensor grad_q, grad_k;
    if (need_gradient) {
      grad_q = at::zeros_like(q, at::MemoryFormat::Contiguous);
      grad_k = at::zeros_like(k, at::MemoryFormat::Contiguous);
    }
    for (std::size_t s = 0; s + 1 < pairs.offsets.size(); ++s) {
      const std::int64_t first = pairs.offsets[s], tokens = pairs.offsets[s + 1] - first;
      if (tokens == 0) continue;
      const auto part = [&](const at::Tensor& x) { return heads_of(x, first, tokens); };
      const std::int64_t rows = std::max<std::int64_t>(1, max_scores / (q.size(1) * tokens));
      for (std::int64_t row = 0; row < tokens; row += rows) {
        const Tile tile = tile_at(row, std::min(rows, tokens - row), tokens, pairs);
        const auto scores = [&](const at::Tensor& queries, const at::Tensor& keys) {  // (A, count, num_keys)
          return at::matmul(part(queries).narrow(1, tile.first, tile.count),
                            part(keys).narrow(1, tile.key, tile.num_keys).transpose(1, 2)) *
                 scale_of(queries);
        };
        at::Tensor apart = scores(q, k) - scores(teacher.q, teacher.k);
        if (const at::Tensor hidden = hidden_of(tile, pairs, q.device()); hidden.defined())
          apart.masked_fill_(hidden, 0);
        total += at::sum(at::square(apart));
        if (!need_gradient) continue;
        apart *= 2 * scale_of(q);
        part(grad_q).narrow(1, tile.first, tile.count) +=
            at::matmul(apart, part(k).narrow(1, tile.key, tile.num_keys));
        part(grad_k).narrow(1, tile.key, tile.num_keys) +=
            at::matmul(apart.transpose(1, 2), part(q).narrow(1, tile.first, tile.count));
      }
    }
    if (need_gradient) ctx->save_for_backward({grad_q, grad_k});
    return total;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    return {saved[0] * grads[0], saved[1] * grads[0], {}, {}, {}, {}};
  }
};

void check(const ScoreRows& student, const ScoreRows& teacher, const ScorePairs& pairs) {
  const auto fits = [&](const at::Tensor& x, const at::Tensor& like, const char* what) {
    if (!is_real(x, 3) || x.size(0) != student.q.size(0) || x.size(1) != student.q.size(1) ||
        x.size(2) != like.size(2) || x.scalar_type() != student.q.scalar_type())
      refuse("score_distance", what, x, fmt::format("{}, as the student's queries", outline_of(student.q)));
  };
  if (!is_real(student.q, 3)) refuse("score_distance", "student's queries", student.q, "numbers (N, A, D)");
  fits(student.k, student.q, "student's keys");
  fits(teacher.q, teacher.q.defined() && teacher.q.dim() == 3 ? teacher.q : student.q, "teacher's queries");
  fits(teacher.k, teacher.q, "teacher's keys");
  if (pairs.offsets.empty() || pairs.offsets.front() != 0 || pairs.offsets.back() != student.q.size(0) ||
      !std::is_sorted(pairs.offsets.begin(), pairs.offsets.end()))
    fail(ExitCode::usage,
         "score_distance: offsets: got {} numbers, expected where each document begins: 0 ... {}",
         pairs.offsets.size(), student.q.size(0));
}

}  // namespace

at::Tensor score_distance(const ScoreRows& student, const ScoreRows& teacher, const ScorePairs& pairs,
                          std::int64_t max_scores) {
  check(student, teacher, pairs);
  const bool need = at::GradMode::is_enabled() && (student.q.requires_grad() || student.k.requires_grad());
  return ScoreDistance::apply(student.q, student.k, ScoreRows{teacher.q.detach(), teacher.k.detach()}, pairs,
                              max_scores, need);
}

}  // namespace mgd
