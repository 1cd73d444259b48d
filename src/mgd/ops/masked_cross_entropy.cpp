#include "mgd/ops/masked_cross_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/dense.h"

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

// Rows of a piece, their logits and targets.
struct Piece {
  at::Tensor hidden;   // (r, H)
  at::Tensor logits;   // (r, V) float or double
  at::Tensor lse;      // (r)
  at::Tensor targets;  // (r)
  std::int64_t first = 0;
};

template <class Visit>
void for_pieces(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias,
                const at::Tensor& targets, std::int64_t max_logits, const Visit& visit) {
  const std::int64_t rows =
      std::max<std::int64_t>(16, max_logits / std::max<std::int64_t>(weight.size(0), 1));
  for (std::int64_t first = 0; first < hidden.size(0); first += rows) {
    const std::int64_t count = std::min(rows, hidden.size(0) - first);
    Piece piece{
        .hidden = hidden.narrow(0, first, count), .targets = targets.narrow(0, first, count), .first = first};
    piece.logits = at::empty({count, weight.size(0)}, hidden.options());
    product_into(piece.logits, piece.hidden, weight.t(), 0);
    if (piece.logits.scalar_type() != at::kDouble) piece.logits = piece.logits.to(at::kFloat);
    if (bias.defined() && bias.numel() > 0) piece.logits.add_(bias);
    piece.lse = at::logsumexp(piece.logits, 1);
    visit(piece);
  }
}

class TokenCrossEntropy : public torch::autograd::Function<TokenCrossEntropy> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& hidden,
                            const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& targets,
                            double smoothing, std::int64_t max_logits, bool need_gradient) {
    const std::int64_t vocabulary = weight.size(0);
    const auto type = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor total = at::zeros({}, hidden.options().dtype(type));
    at::Tensor grad_hidden, grad_weight, grad_bias;
    if (need_gradient) {
      grad_hidden = at::empty(hidden.sizes(), hidden.options());
      grad_weight = hidden.size(0) > 0 ? at::empty(weight.sizes(), weight.options().dtype(type))
                                       : at::zeros(weight.sizes(), weight.options().dtype(type));
      grad_bias = at::zeros(bias.sizes(), bias.options().dtype(type));
    }
    // Mixed precision: products of the hidden rows' type, gradients of the weight's.
    const at::Tensor matrix = weight.to(hidden.scalar_type());
    for_pieces(hidden, matrix, bias, targets, max_logits, [&](Piece& piece) {
      const at::Tensor real = piece.targets != kNoTarget;  // (r)
      const at::Tensor index = piece.targets.clamp_min(0).unsqueeze(1);
      at::Tensor nll = (1 - smoothing) * (piece.lse - piece.logits.gather(1, index).squeeze(1));
      if (smoothing > 0) nll = nll + smoothing * (piece.lse - piece.logits.mean(1));
      total += nll.masked_fill(real.logical_not(), 0).sum();
      if (!need_gradient) return;
      // d nll / d logits = softmax - (1 - e) onehot - e / V, in the memory of the logits.
      at::Tensor grad = piece.logits.sub_(piece.lse.unsqueeze(1)).exp_();
      if (smoothing > 0) grad.sub_(smoothing / static_cast<double>(vocabulary));
      grad.scatter_add_(1, index, at::zeros(index.sizes(), grad.options()).fill_(smoothing - 1));
      grad.mul_(real.unsqueeze(1));
      if (bias.numel() > 0) grad_bias += grad.sum(0);
      const at::Tensor narrow = grad.to(matrix.scalar_type());
      product_into(grad_hidden.narrow(0, piece.first, piece.hidden.size(0)), narrow, matrix, 0);
      product_into(grad_weight, narrow.t(), piece.hidden, piece.first == 0 ? 0 : 1);
    });
    if (need_gradient) ctx->save_for_backward({grad_hidden, grad_weight, grad_bias});
    ctx->saved_data["applied"] = 1.0;
    return total;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    // In place: the weight's gradient is as large as the vocabulary. What a second backward pass over the
    // same graph finds has been scaled already.
    const double wanted = grads[0].item<double>(), applied = ctx->saved_data["applied"].toDouble();
    torch::autograd::variable_list result(7);
    for (std::size_t i = 0; i < saved.size(); ++i)
      result[i] = wanted == 0 ? at::zeros_like(saved[i]) : saved[i].variable_data().mul_(wanted / applied);
    if (wanted != 0) ctx->saved_data["applied"] = wanted;
    return result;
  }
};

}  // namespace

at::Tensor masked_cross_entropy(const LmHead& head, const at::Tensor& given,
                                const TokenLossOptions& options) {
  check(head, given, options);
  const at::Tensor targets =
      head.rows.defined()
          ? at::full({head.hidden.size(0)}, kNoTarget, given.options()).index_copy(0, head.rows, given)
          : given;
  const bool need =
      at::GradMode::is_enabled() && (head.hidden.requires_grad() || head.weight.requires_grad() ||
                                     (head.bias.defined() && head.bias.requires_grad()));
  // The autograd machinery wants a tensor in every place.
  const at::Tensor bias = head.bias.defined() ? head.bias : at::empty({0}, head.weight.options());
  return TokenCrossEntropy::apply(head.hidden, head.weight, bias, targets, options.label_smoothing,
                                  options.max_logits, need);
}

TokenScores score_targets(const LmHead& head, const at::Tensor& targets, const TokenLossOptions& options) {
  check(head, targets, options);
  const at::NoGradGuard no_grad;
  TokenScores scores{.nll = at::empty({targets.size(0)}, head.hidden.options().dtype(at::kFloat)),
                     .best = at::empty({targets.size(0)}, targets.options())};
  const at::Tensor matrix = head.weight.to(head.hidden.scalar_type());
  for_pieces(head.hidden, matrix, head.bias, targets, options.max_logits, [&](const Piece& piece) {
    const std::int64_t count = piece.targets.size(0);
    const at::Tensor index = piece.targets.clamp_min(0).unsqueeze(1);
    scores.nll.narrow(0, piece.first, count).copy_(piece.lse - piece.logits.gather(1, index).squeeze(1));
    scores.best.narrow(0, piece.first, count).copy_(piece.logits.argmax(1));
  });
  return scores;
}

}  // namespace mgd
