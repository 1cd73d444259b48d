#include "mgd/loss/pieces.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

namespace mgd {

at::Tensor sum_of_pieces(const at::Tensor& x, std::int64_t num_pieces,
                         const std::function<at::Tensor(const at::Tensor& x, std::int64_t piece)>& part) {
  if (num_pieces == 1) return part(x, 0);
  const bool with_gradient = at::GradMode::is_enabled() && x.requires_grad();
  const at::Tensor leaf = x.detach().requires_grad_(with_gradient);
  at::Tensor total = at::zeros({}, x.options());
  for (std::int64_t piece = 0; piece < num_pieces; ++piece) {
    const at::Tensor value = part(leaf, piece);
    if (with_gradient) value.backward();
    total = total + value.detach();
  }
  if (!with_gradient) return total;
  // Of the value `total`, with the gradient that the pieces left.
  const at::Tensor linear = at::sum(x * leaf.grad());
  return total + (linear - linear.detach());
}

}  // namespace mgd
