#include "mgd/ops/divergence.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/max.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/kernels/softmax_kl.h"
#include "mgd/ops/head_loss.h"
#include "mgd/ops/softmax_kl.h"

namespace mgd {

at::Tensor divergence(const at::Tensor& student, const at::Tensor& given, const DivergenceOptions& options) {
  const double temperature = options.temperature;
  if (options.kind == Divergence::forward) return softmax_kl(student, given, temperature);
  const at::Tensor log_q = at::log_softmax(student / temperature, -1);
  const at::Tensor log_p = at::log_softmax(given.detach() / temperature, -1);
  const at::Tensor p = at::exp(log_p), q = at::exp(log_q);
  at::Tensor total;
  if (options.kind == Divergence::reverse) {
    total = at::sum(q * (log_q - log_p));
  } else {
    // A softmax may be 0 where its logarithm is a number; m is 0 only where both are, and 0 times a number
    // adds nothing.
    const at::Tensor log_m = at::log((options.beta * p + (1 - options.beta) * q)
                                         .clamp_min(at::kDouble == p.scalar_type() ? 1e-300 : 1e-38));
    total = options.beta * at::sum(p * (log_p - log_m)) + (1 - options.beta) * at::sum(q * (log_q - log_m));
  }
  return total * (temperature * temperature);
}

namespace {

LmHead of_targets(const LmHead& head) {
  if (!head.rows.defined()) return head;
  return {.hidden = head.hidden.index_select(0, head.rows), .weight = head.weight, .bias = head.bias};
}

// By the operators' own gradients.
PieceLoss of_logits(const at::Tensor& student, const at::Tensor& teacher, const DivergenceOptions& options,
                    bool need_gradient) {
  const at::AutoGradMode with_gradient(need_gradient);
  at::Tensor logits = student;
  logits.set_requires_grad(need_gradient);
  const at::Tensor sum = divergence(logits, teacher.to(logits.scalar_type()), options);
  if (!need_gradient) return {.sum = sum, .gradient = {}};
  return {.sum = sum.detach(), .gradient = torch::autograd::grad({sum}, {logits}).front()};
}

// Without the entries of `ids` (n, k), the logarithm of the sum of exponentials of (n, V): (n).
at::Tensor log_sum_of_rest(const at::Tensor& scores, const at::Tensor& ids) {
  return at::logsumexp(scores.scatter(1, ids, -std::numeric_limits<double>::infinity()), {1});
}

// Logits (n, V) whose softmax at the temperature has the known entries, and divides the rest as `student`
// does.
at::Tensor filled_in(const TopScores& teacher, std::int64_t first, std::int64_t count,
                     const at::Tensor& student) {
  const at::Tensor ids = teacher.ids.narrow(0, first, count);
  const at::Tensor log_p = teacher.log_p.narrow(0, first, count).to(student.scalar_type());
  const at::Tensor log_rest = teacher.log_rest.narrow(0, first, count).to(student.scalar_type());
  const at::Tensor scores = student / teacher.temperature;
  // Where nothing is left beside the known ones, every entry is known.
  const at::Tensor shift = at::nan_to_num(log_rest - log_sum_of_rest(scores, ids), 0.0, 0.0, -1e30);
  return (scores + shift.unsqueeze(1)).scatter(1, ids, log_p) * teacher.temperature;
}

// forward_of_bins in one pass over each row (kernels/softmax_kl.h), whose logits become the gradient.
PieceLoss fused_bins(const at::Tensor& student, const at::Tensor& given_ids, const at::Tensor& given_log_p,
                     const at::Tensor& given_log_r, double temperature, bool need_gradient) {
  const at::Tensor ids = given_ids.contiguous(), log_p = given_log_p.contiguous(),
                   log_r = given_log_r.contiguous();
  const std::int64_t rows = student.size(0), width = student.size(1), known = ids.size(1);
  auto* logits = student.mutable_data_ptr<float>();
  const auto* id = ids.const_data_ptr<std::int64_t>();
  const auto *p = log_p.const_data_ptr<float>(), *r = log_r.const_data_ptr<float>();
  std::vector<double> sums(static_cast<std::size_t>(rows));
  const SoftmaxKlKernel kernel = softmax_kl_kernel(chosen_isa());
  const std::int64_t rows_a_task = std::max<std::int64_t>(1, (std::int64_t{1} << 14) / width);
  at::parallel_for(0, rows, rows_a_task, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(known));
    for (std::int64_t i = begin; i < end; ++i)
      sums[static_cast<std::size_t>(i)] = kernel.bins(
          {.logits = logits + i * width,
           .width = width,
           .inverse_temperature = static_cast<float>(1 / temperature),
           .ids = id + i * known,
           .log_p = p + i * known,
           .known = known,
           .log_rest = r[i],
           .scratch = scratch.data(),
           .grad_factor = need_gradient ? temperature : 0});  // T^2, and 1 / T of the inner derivative
  });
  return {.sum = at::full({}, temperature * temperature * std::accumulate(sums.begin(), sums.end(), 0.0),
                          student.options()),
          .gradient = need_gradient ? student : at::Tensor()};
}

// The forward divergence of k + 1 bins, written out: with q = softmax(student / T), p and r what is known of
// the teacher and q_r the student's share of the rest,
//   sum p (ln p - ln q) + r (ln r - ln q_r),   gradient by student / T: q - p, and q (1 - r / q_r) of the
//   rest.
PieceLoss forward_of_bins(const TopScores& teacher, std::int64_t first, const at::Tensor& student,
                          bool need_gradient) {
  const std::int64_t count = student.size(0);
  const at::Tensor ids = teacher.ids.narrow(0, first, count);
  const at::Tensor log_p = teacher.log_p.narrow(0, first, count).to(student.scalar_type());
  const at::Tensor log_r = teacher.log_rest.narrow(0, first, count).to(student.scalar_type());
  const double temperature = teacher.temperature;
  if (student.is_cpu() && student.scalar_type() == at::kFloat)
    return fused_bins(student, ids, log_p, log_r, temperature, need_gradient);
  const at::Tensor scores = temperature == 1 ? student : student / temperature;
  const at::Tensor lse = at::logsumexp(scores, {1}, true);
  const at::Tensor log_q_known = at::gather(scores, 1, ids).sub_(lse);
  const at::Tensor q = scores.sub_(lse).exp_().scatter_(1, ids, 0.0);  // of the rest
  // A student who is so sure that nothing is left: as if one rounding were.
  const at::Tensor q_r = at::sum(q, {1}).clamp_min(student.scalar_type() == at::kDouble ? 1e-300 : 1e-38);
  const at::Tensor p = at::exp(log_p), r = at::exp(log_r);
  const at::Tensor known = at::sum(p * (log_p - log_q_known));
  const at::Tensor rest = at::sum(at::where(r > 0, r * (log_r - at::log(q_r)), at::zeros_like(r)));
  PieceLoss piece{.sum = (known + rest) * (temperature * temperature), .gradient = {}};
  if (!need_gradient) return piece;
  piece.gradient = q.mul_((1 - r / q_r).unsqueeze(1)).scatter_(1, ids, at::exp(log_q_known).sub_(p));
  if (temperature != 1) piece.gradient.mul_(temperature);
  return piece;
}

}  // namespace

at::Tensor head_divergence(const LmHead& of_student, const LmHead& of_teacher,
                           const DivergenceOptions& options, std::int64_t max_logits) {
  const LmHead student = of_targets(of_student), given = of_targets(of_teacher);
  if (student.hidden.size(0) != given.hidden.size(0) || student.weight.size(0) != given.weight.size(0))
    fail(ExitCode::usage,
         "head_divergence: got {} rows over {} entries of a vocabulary and {} over {}, expected the same",
         student.hidden.size(0), student.weight.size(0), given.hidden.size(0), given.weight.size(0));
  const LmHead teacher{.hidden = given.hidden.detach(),
                       .weight = given.weight.detach().to(given.hidden.scalar_type()),
                       .bias = given.bias.defined() ? given.bias.detach() : at::Tensor()};
  return head_loss(student, max_logits,
                   [&](std::int64_t first, const at::Tensor& logits, bool need_gradient) {
                     const std::int64_t count = logits.size(0);
                     at::Tensor wanted;
                     for_head_pieces({.hidden = teacher.hidden.narrow(0, first, count),
                                      .weight = teacher.weight,
                                      .bias = teacher.bias},
                                     count * logits.size(1),
                                     [&](std::int64_t, const at::Tensor& piece) { wanted = piece; });
                     return of_logits(logits, wanted, options, need_gradient);
                   });
}

at::Tensor head_divergence(const LmHead& of_student, const TopScores& teacher,
                           const DivergenceOptions& options, std::int64_t max_logits) {
  const LmHead student = of_targets(of_student);
  if (teacher.temperature != options.temperature)
    fail(ExitCode::usage, "head_divergence: scores kept at temperature {}, asked for at {}",
         teacher.temperature, options.temperature);
  const bool beyond =
      teacher.ids.numel() > 0 && at::max(teacher.ids).item<std::int64_t>() >= student.weight.size(0);
  if (student.hidden.size(0) != teacher.ids.size(0) || beyond)
    fail(ExitCode::usage,
         "head_divergence: got {} rows over {} entries of a vocabulary and {} kept ones, expected the same "
         "and "
         "of these entries",
         student.hidden.size(0), student.weight.size(0), teacher.ids.size(0));
  return head_loss(
      student, max_logits, [&](std::int64_t first, const at::Tensor& logits, bool need_gradient) {
        if (options.kind == Divergence::forward)
          return forward_of_bins(teacher, first, logits, need_gradient);
        return of_logits(logits, filled_in(teacher, first, logits.size(0), logits), options, need_gradient);
      });
}

TopScores top_scores(const LmHead& of_targets_and_others, std::int64_t k, double temperature,
                     std::int64_t max_logits) {
  const at::NoGradGuard no_gradient;
  const LmHead head = of_targets(of_targets_and_others);
  const std::int64_t entries = head.weight.size(0), all = head.hidden.size(0);
  if (k < 1 || k > entries)
    fail(ExitCode::usage, "top_scores: got {} entries to keep of a vocabulary of {}", k, entries);
  const auto type = head.hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::TensorOptions numbers = head.hidden.options().dtype(type);
  TopScores top{.ids = at::empty({all, k}, numbers.dtype(at::kLong)),
                .log_p = at::empty({all, k}, numbers),
                .log_rest = at::empty({all}, numbers),
                .temperature = temperature};
  for_head_pieces(head, max_logits, [&](std::int64_t first, const at::Tensor& logits) {
    const std::int64_t count = logits.size(0);
    const at::Tensor log_p = at::log_softmax(logits / temperature, -1);
    const auto [values, ids] = at::topk(log_p, k, 1);
    top.ids.narrow(0, first, count).copy_(ids);
    top.log_p.narrow(0, first, count).copy_(values);
    top.log_rest.narrow(0, first, count).copy_(log_sum_of_rest(log_p, ids));
  });
  return top;
}

}  // namespace mgd
