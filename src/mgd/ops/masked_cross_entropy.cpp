#include "mgd/ops/masked_cross_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logsumexp.h>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/head_loss.h"

namespace mgd {

namespace {

constexpr std::int64_t kNoTarget = -100;

// The range of targets is the reader's of the vocabulary to check: operators that take them do.
void check(const LmHead& head, const at::Tensor& targets, const TokenLossOptions& options) {
  const at::Tensor& rows = head.rows;
  const bool tensors = is_real(head.hidden, 2) && is_real(head.weight, 2) &&
                       (!head.bias.defined() || is_real(head.bias, 1)) && targets.defined() &&
                       targets.dim() == 1 && targets.scalar_type() == at::kLong &&
                       (!rows.defined() || (rows.dim() == 1 && rows.scalar_type() == at::kLong));
  const bool fits = tensors && head.hidden.size(1) == head.weight.size(1) &&
                    targets.size(0) == (rows.defined() ? rows : head.hidden).size(0) &&
                    (!head.bias.defined() || head.bias.size(0) == head.weight.size(0));
  if (!fits)
    fail(ExitCode::usage,
         "masked_cross_entropy: got hidden {}, weight {}, bias {}, rows {}, targets {}; expected (n, H), (V, "
         "H), (V) or nothing, int64 of the targets or nothing, int64 (n) or one for each of rows",
         outline_of(head.hidden), outline_of(head.weight), outline_of(head.bias), outline_of(rows),
         outline_of(targets));
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1) || options.max_logits < 1)
    fail(ExitCode::usage,
         "masked_cross_entropy: got label_smoothing {}, max_logits {}; expected 0 to 1, and 1 or more",
         options.label_smoothing, options.max_logits);
}

}  // namespace

at::Tensor masked_cross_entropy(const LmHead& head, const at::Tensor& given,
                                const TokenLossOptions& options) {
  check(head, given, options);
  const at::Tensor targets =
      head.rows.defined()
          ? at::full({head.hidden.size(0)}, kNoTarget, given.options()).index_copy(0, head.rows, given)
          : given;
  const double smoothing = options.label_smoothing;
  const auto entries = static_cast<double>(head.weight.size(0));
  return head_loss(
      head, options.max_logits, [&](std::int64_t first, const at::Tensor& logits, bool need_gradient) {
        const at::Tensor piece = targets.narrow(0, first, logits.size(0));
        const at::Tensor real = piece != kNoTarget;  // (r)
        const at::Tensor index = piece.clamp_min(0).unsqueeze(1), lse = at::logsumexp(logits, 1);
        at::Tensor nll = (1 - smoothing) * (lse - logits.gather(1, index).squeeze(1));
        if (smoothing > 0) nll = nll + smoothing * (lse - logits.mean(1));
        PieceLoss loss{.sum = nll.masked_fill(real.logical_not(), 0).sum(), .gradient = {}};
        if (!need_gradient) return loss;
        // d nll / d logits = softmax - (1 - e) onehot - e / V, in the memory of the logits.
        loss.gradient = logits.sub_(lse.unsqueeze(1)).exp_();
        if (smoothing > 0) loss.gradient.sub_(smoothing / entries);
        loss.gradient.scatter_add_(1, index, at::full(index.sizes(), smoothing - 1, logits.options()));
        loss.gradient.mul_(real.unsqueeze(1));
        return loss;
      });
}

TokenScores score_targets(const LmHead& head, const at::Tensor& targets, const TokenLossOptions& options) {
  check(head, targets, options);
  const at::NoGradGuard no_grad;
  TokenScores scores{.nll = at::empty({targets.size(0)}, head.hidden.options().dtype(at::kFloat)),
                     .best = at::empty({targets.size(0)}, targets.options())};
  for_head_pieces(head, options.max_logits, [&](std::int64_t first, const at::Tensor& logits) {
    const std::int64_t count = logits.size(0);
    const at::Tensor index = targets.narrow(0, first, count).clamp_min(0).unsqueeze(1);
    const at::Tensor lse = at::logsumexp(logits, 1);
    scores.nll.narrow(0, first, count).copy_(lse - logits.gather(1, index).squeeze(1));
    scores.best.narrow(0, first, count).copy_(logits.argmax(1));
  });
  return scores;
}

}  // namespace mgd
