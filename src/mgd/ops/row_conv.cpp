#include "mgd/ops/row_conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "mgd/core/error.h"
#include "mgd/ops/mixed_precision.h"

namespace mgd {

RowPairs row_pairs(std::span<const std::int64_t> offsets, std::span<const std::int64_t> in,
                   std::span<const std::int64_t> out, at::Device device) {
  MGD_ASSERT(!offsets.empty());
  std::vector<std::int64_t> place(static_cast<std::size_t>(offsets.back()), -1);
  for (std::size_t i = 0; i < in.size(); ++i)
    place.at(static_cast<std::size_t>(in[i])) = static_cast<std::int64_t>(i);
  std::array<std::vector<std::int64_t>, 3> from, to;
  std::size_t sequence = 0;
  for (std::size_t j = 0; j < out.size(); ++j) {
    while (out[j] >= offsets[sequence + 1]) ++sequence;
    for (std::int64_t d = 0; d < 3; ++d) {
      const std::int64_t row = out[j] + d - 1;
      if (row < offsets[sequence] || row >= offsets[sequence + 1]) continue;
      const std::int64_t found = place[static_cast<std::size_t>(row)];
      if (found < 0) continue;
      from[static_cast<std::size_t>(d)].push_back(found);
      to[static_cast<std::size_t>(d)].push_back(static_cast<std::int64_t>(j));
    }
  }
  RowPairs pairs{.num_out = static_cast<std::int64_t>(out.size())};
  for (std::size_t d = 0; d < 3; ++d) {
    pairs.from[d] = at::tensor(from[d], at::kLong).to(device);
    pairs.to[d] = at::tensor(to[d], at::kLong).to(device);
  }
  return pairs;
}

namespace {

// The products tap by tap with all gradients. LibTorch's own would copy the weight of each tap out of (O, I,
// 3), and bring each tap's gradient there by a whole tensor of zeros: megabytes that do not shrink with the
// number of rows.
class RowConv3 : public torch::autograd::Function<RowConv3> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& in,
                            const at::Tensor& weight, const at::Tensor& bias, const RowPairs& pairs) {
    // In autocast products are bfloat16, forward and backward, and sums are not.
    const auto type =
        in_autocast(in.device()) && in.scalar_type() == at::kFloat ? at::kBFloat16 : in.scalar_type();
    const at::Tensor rows = in.to(type), taps = weight.permute({2, 0, 1}).to(type).contiguous();  // (3, O, I)
    // A copy: a single row would be the bias itself.
    at::Tensor out =
        bias.unsqueeze(0).expand({pairs.num_out, weight.size(0)}).clone(at::MemoryFormat::Contiguous);
    for (std::size_t d = 0; d < 3; ++d) {
      if (pairs.from[d].numel() == 0) continue;
      const at::Tensor product =
          at::linear(rows.index_select(0, pairs.from[d]), taps[static_cast<std::int64_t>(d)]);
      out.index_add_(0, pairs.to[d], product.to(out.scalar_type()));
    }
    ctx->save_for_backward(
        {rows, taps, pairs.from[0], pairs.from[1], pairs.from[2], pairs.to[0], pairs.to[1], pairs.to[2]});
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &rows = saved[0], &taps = saved[1], &grad = grads[0];
    const at::Tensor narrow = grad.to(rows.scalar_type());
    at::Tensor grad_in, grad_taps;
    if (ctx->needs_input_grad(0)) grad_in = at::zeros(rows.sizes(), grad.options());
    if (ctx->needs_input_grad(1)) grad_taps = at::zeros(taps.sizes(), grad.options());
    for (std::size_t d = 3; d-- > 0;) {
      const at::Tensor &from = saved[2 + d], &to = saved[5 + d];
      if (from.numel() == 0) continue;
      const at::Tensor of_pairs = narrow.index_select(0, to);  // (m, O)
      const auto tap = static_cast<std::int64_t>(d);
      if (grad_in.defined())
        grad_in.index_add_(0, from, at::mm(of_pairs, taps[tap]).to(grad_in.scalar_type()));
      if (grad_taps.defined()) grad_taps[tap].copy_(at::mm(of_pairs.t(), rows.index_select(0, from)));
    }
    return {grad_in,
            grad_taps.defined() ? grad_taps.permute({1, 2, 0}) : at::Tensor(),
            ctx->needs_input_grad(2) ? at::sum(grad, {0}) : at::Tensor(),
            {}};
  }
};

}  // namespace

at::Tensor row_conv3(const at::Tensor& in, const RowPairs& pairs, const at::Tensor& weight,
                     const at::Tensor& bias) {
  if (in.dim() != 2 || weight.dim() != 3 || weight.size(2) != 3 || weight.size(1) != in.size(1) ||
      bias.dim() != 1 || bias.size(0) != weight.size(0))
    fail(ExitCode::usage, "row_conv3: got rows {}, weight {}, bias {}; expected (n, I), (O, I, 3), (O)",
         c10::str(in.sizes()), c10::str(weight.sizes()), c10::str(bias.sizes()));
  return RowConv3::apply(in, weight, bias, pairs);
}

}  // namespace mgd
