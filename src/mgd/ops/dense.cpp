#include "mgd/ops/dense.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/kernels/gemm.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/mixed_precision.h"

namespace mgd {

namespace {

bool is_plain(const at::Tensor& t) {
  return t.is_cpu() && t.scalar_type() == at::kFloat;
}

// sgemm wants unit stride in one direction; a matrix of one row or column may have any in the other.
bool lies_in_rows(const at::Tensor& t) {
  return (t.stride(1) == 1 || t.size(1) == 1) && t.stride(0) >= t.size(1);
}

at::Tensor with_unit_stride(const at::Tensor& t) {
  return lies_in_rows(t) || lies_in_rows(t.t()) ? t : t.contiguous();
}

GemmOperand operand(const at::Tensor& t) {
  const bool rows = lies_in_rows(t);
  return {t.const_data_ptr<float>(), rows ? t.stride(0) : t.stride(1), !rows};
}

class Linear : public torch::autograd::Function<Linear> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bias"] = bias.numel() > 0;
    at::Tensor out = at::empty({x.size(0), weight.size(0)}, x.options());
    if (bias.numel() > 0) out.copy_(bias.expand_as(out));
    product_into(out, x, weight.t(), bias.numel() > 0 ? 1 : 0);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &grad = grads[0], &x = saved[0], &weight = saved[1];
    at::Tensor grad_x, grad_weight, grad_bias;
    if (ctx->needs_input_grad(0)) {
      grad_x = at::empty(x.sizes(), x.options());
      product_into(grad_x, grad, weight, 0);
    }
    if (ctx->needs_input_grad(1)) {
      // In the memory order of the weight: a transposed view gets the transposed gradient of what is stored.
      const bool stored_as_is = weight.stride(1) == 1;
      const at::Tensor stored =
          at::empty(stored_as_is ? weight.sizes() : weight.t().sizes(), weight.options());
      if (stored_as_is)
        product_into(stored, grad.t(), x, 0);
      else
        product_into(stored, x.t(), grad, 0);
      grad_weight = stored_as_is ? stored : stored.t();
    }
    if (ctx->saved_data["bias"].toBool()) grad_bias = at::sum(grad, 0);
    return {grad_x, grad_weight, grad_bias};
  }
};

}  // namespace

void product_into(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, double beta) {
  const bool fits = a.dim() == 2 && b.dim() == 2 && out.dim() == 2 && a.size(1) == b.size(0) &&
                    out.size(0) == a.size(0) && out.size(1) == b.size(1) && out.stride(1) == 1;
  if (!fits)
    fail(ExitCode::usage, "product_into: got out {}, a {}, b {}; expected (M, N) in rows, (M, K), (K, N)",
         outline_of(out), outline_of(a), outline_of(b));
  const at::NoGradGuard no_grad;
  if (!has_gemm() || !is_plain(a) || !is_plain(b) || !is_plain(out)) {
    // Sums of half precision go on in the type of `out`.
    at::Tensor target = out;
    const at::Tensor product = at::mm(a, b);
    if (beta == 0)
      target.copy_(product);
    else
      target.mul_(beta).add_(product);
    return;
  }
  const at::Tensor left = with_unit_stride(a), right = with_unit_stride(b);
  gemm(a.size(0), b.size(1), a.size(1), operand(left), operand(right), static_cast<float>(beta),
       out.mutable_data_ptr<float>(), std::max<std::int64_t>(out.stride(0), out.size(1)));
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const bool fits = x.defined() && weight.defined() && x.dim() > 0 && weight.dim() == 2 &&
                    x.size(-1) == weight.size(1) &&
                    (!bias.defined() || (bias.dim() == 1 && bias.size(0) == weight.size(0)));
  if (!fits)
    fail(ExitCode::usage, "linear: got x {}, weight {}, bias {}; expected (..., K), (M, K), (M)",
         outline_of(x), outline_of(weight), outline_of(bias));
  const bool ours = has_gemm() && is_plain(x) && is_plain(weight) && !cpu_autocast();
  if (!ours) return at::linear(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
  // The autograd machinery wants a tensor in every place.
  const at::Tensor some_bias = bias.defined() ? bias : at::empty({0}, weight.options());
  if (x.dim() == 2) return Linear::apply(x, weight, some_bias);
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return Linear::apply(x.reshape({-1, x.size(-1)}), weight, some_bias).view(shape);
}

}  // namespace mgd
