#include "mgd/ops/head_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "mgd/ops/dense.h"

namespace mgd {
namespace {

class HeadLoss : public torch::autograd::Function<HeadLoss> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& hidden,
                            const at::Tensor& weight, const at::Tensor& bias, const LossOfPiece& of_piece,
                            std::int64_t max_logits, bool need_gradient) {
    const auto type = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const std::int64_t rows = hidden.size(0);
    at::Tensor total = at::zeros({}, hidden.options().dtype(type));
    at::Tensor grad_hidden, grad_weight, grad_bias;
    if (need_gradient) {
      grad_hidden = at::empty(hidden.sizes(), hidden.options());
      grad_weight = rows > 0 ? at::empty(weight.sizes(), weight.options().dtype(type))
                             : at::zeros(weight.sizes(), weight.options().dtype(type));
      grad_bias = at::zeros(bias.sizes(), bias.options().dtype(type));
    }
    // Mixed precision: products of the hidden rows' type, gradients of the weight's.
    const at::Tensor matrix = weight.to(hidden.scalar_type());
    for_head_pieces({.hidden = hidden, .weight = matrix, .bias = bias}, max_logits,
                    [&](std::int64_t first, const at::Tensor& logits) {
                      const PieceLoss piece = of_piece(first, logits, need_gradient);
                      total += piece.sum;
                      if (!need_gradient) return;
                      if (bias.numel() > 0) grad_bias += piece.gradient.sum(0);
                      const at::Tensor narrow = piece.gradient.to(matrix.scalar_type());
                      const std::int64_t count = logits.size(0);
                      product_into(grad_hidden.narrow(0, first, count), narrow, matrix, 0);
                      product_into(grad_weight, narrow.t(), hidden.narrow(0, first, count),
                                   first == 0 ? 0 : 1);
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
    torch::autograd::variable_list result(6);
    for (std::size_t i = 0; i < saved.size(); ++i)
      result[i] = wanted == 0 ? at::zeros_like(saved[i]) : saved[i].variable_data().mul_(wanted / applied);
    if (wanted != 0) ctx->saved_data["applied"] = wanted;
    return result;
  }
};

// Of logits that are there.
class LogitsLoss : public torch::autograd::Function<LogitsLoss> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& logits,
                            const LossOfPiece& of_piece, bool need_gradient) {
    const PieceLoss piece = of_piece(0, logits.clone(), need_gradient);
    if (need_gradient) ctx->save_for_backward({piece.gradient});
    return piece.sum;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    return {ctx->get_saved_variables()[0] * grads[0], {}, {}};
  }
};

}  // namespace

void for_head_pieces(const LmHead& head, std::int64_t max_logits,
                     const std::function<void(std::int64_t first, const at::Tensor& logits)>& visit) {
  const at::NoGradGuard no_gradient;
  const at::Tensor matrix = head.weight.to(head.hidden.scalar_type());
  const std::int64_t entries = matrix.size(0), all = head.hidden.size(0);
  const std::int64_t rows = std::max<std::int64_t>(16, max_logits / std::max<std::int64_t>(entries, 1));
  for (std::int64_t first = 0; first < all; first += rows) {
    const std::int64_t count = std::min(rows, all - first);
    at::Tensor logits = at::empty({count, entries}, head.hidden.options());
    product_into(logits, head.hidden.narrow(0, first, count), matrix.t(), 0);
    if (logits.scalar_type() != at::kDouble) logits = logits.to(at::kFloat);
    if (head.bias.defined() && head.bias.numel() > 0) logits.add_(head.bias);
    visit(first, logits);
  }
}

at::Tensor head_loss(const LmHead& head, std::int64_t max_logits, const LossOfPiece& of_piece) {
  if (head.logits.defined())
    return LogitsLoss::apply(head.logits, of_piece,
                             at::GradMode::is_enabled() && head.logits.requires_grad());
  const bool need =
      at::GradMode::is_enabled() && (head.hidden.requires_grad() || head.weight.requires_grad() ||
                                     (head.bias.defined() && head.bias.requires_grad()));
  // The autograd machinery wants a tensor in every place.
  const at::Tensor bias = head.bias.defined() ? head.bias : at::empty({0}, head.weight.options());
  return HeadLoss::apply(head.hidden, head.weight, bias, of_piece, max_logits, need);
}

LmHead with_logits(const LmHead& head, std::int64_t max_logits) {
  const at::Tensor hidden = head.rows.defined() ? head.hidden.index_select(0, head.rows) : head.hidden;
  if (hidden.size(0) == 0 || hidden.size(0) * head.weight.size(0) > max_logits) return head;
  LmHead shared{.hidden = hidden, .weight = head.weight, .bias = head.bias};
  shared.logits = linear(hidden, head.weight.to(hidden.scalar_type()), {});
  if (shared.logits.scalar_type() != at::kDouble) shared.logits = shared.logits.to(at::kFloat);
  if (head.bias.defined()) shared.logits = shared.logits + head.bias;
  return shared;
}

}  // namespace mgd
