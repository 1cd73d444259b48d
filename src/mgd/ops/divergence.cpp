#include "mgd/ops/divergence.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "mgd/core/error.h"
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

at::Tensor logits_of_piece(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor logits = at::linear(hidden, weight.to(hidden.scalar_type()));
  const at::Tensor wide = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  return bias.numel() > 0 ? wide + bias : wide;
}

// Where the gradient of a piece's logits is at hand, so are the products that need it.
class HeadDivergence : public torch::autograd::Function<HeadDivergence> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& hidden,
                            const at::Tensor& weight, const at::Tensor& bias, const LmHead& teacher,
                            const DivergenceOptions& options, std::int64_t max_logits, bool need_gradient) {
    const auto type = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor total = at::zeros({}, hidden.options().dtype(type));
    at::Tensor grad_hidden = at::zeros_like(hidden);
    at::Tensor grad_weight = at::zeros_like(weight), grad_bias = at::zeros_like(bias);
    const at::Tensor teacher_bias = teacher.bias.defined() ? teacher.bias : at::empty({0}, weight.options());
    const std::int64_t rows =
        std::max<std::int64_t>(16, max_logits / std::max<std::int64_t>(weight.size(0), 1));
    for (std::int64_t first = 0; first < hidden.size(0); first += rows) {
      const std::int64_t count = std::min(rows, hidden.size(0) - first);
      const at::Tensor piece = hidden.narrow(0, first, count);
      const at::Tensor given =
          logits_of_piece(teacher.hidden.narrow(0, first, count), teacher.weight, teacher_bias);
      at::Tensor logits = logits_of_piece(piece, weight, bias).detach();
      at::AutoGradMode with_gradient(need_gradient);
      logits.set_requires_grad(need_gradient);
      const at::Tensor sum = divergence(logits, given.to(logits.scalar_type()), options);
      total += sum.detach();
      if (!need_gradient) continue;
      const at::Tensor grad = torch::autograd::grad({sum}, {logits}).front();
      const at::NoGradGuard no_gradient;
      const at::Tensor narrow = grad.to(hidden.scalar_type());
      grad_hidden.narrow(0, first, count).copy_(at::mm(narrow, weight.to(hidden.scalar_type())));
      grad_weight += at::mm(narrow.t(), piece).to(weight.scalar_type());
      if (bias.numel() > 0) grad_bias += at::sum(grad, {0}).to(bias.scalar_type());
    }
    if (need_gradient) ctx->save_for_backward({grad_hidden, grad_weight, grad_bias});
    return total;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    torch::autograd::variable_list result(7);
    const auto saved = ctx->get_saved_variables();
    for (std::size_t i = 0; i < saved.size(); ++i) result[i] = saved[i] * grads[0];
    return result;
  }
};

LmHead of_targets(const LmHead& head) {
  if (!head.rows.defined()) return head;
  return {.hidden = head.hidden.index_select(0, head.rows), .weight = head.weight, .bias = head.bias};
}

}  // namespace

at::Tensor head_divergence(const LmHead& of_student, const LmHead& of_teacher,
                           const DivergenceOptions& options, std::int64_t max_logits) {
  const LmHead student = of_targets(of_student), teacher = of_targets(of_teacher);
  if (student.hidden.size(0) != teacher.hidden.size(0) || student.weight.size(0) != teacher.weight.size(0))
    fail(ExitCode::usage,
         "head_divergence: got {} rows over {} entries of a vocabulary and {} over {}, expected the same",
         student.hidden.size(0), student.weight.size(0), teacher.hidden.size(0), teacher.weight.size(0));
  const bool need =
      at::GradMode::is_enabled() && (student.hidden.requires_grad() || student.weight.requires_grad() ||
                                     (student.bias.defined() && student.bias.requires_grad()));
  // The autograd machinery wants a tensor in every place.
  const at::Tensor bias = student.bias.defined() ? student.bias : at::empty({0}, student.weight.options());
  const LmHead given{.hidden = teacher.hidden.detach(),
                     .weight = teacher.weight.detach(),
                     .bias = teacher.bias.defined() ? teacher.bias.detach() : at::Tensor()};
  return HeadDivergence::apply(student.hidden, student.weight, bias, given, options, max_logits, need);
}

}  // namespace mgd
