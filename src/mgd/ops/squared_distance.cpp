#include "mgd/ops/squared_distance.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/kernels/squared_distance.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

struct Distance {
  double sum = 0;
  at::Tensor column_sums;  // (C) of the difference
};

// made (B, C, Y, X) channels-last becomes the difference.
Distance subtract(const at::Tensor& made, const at::Tensor& bias, const at::Tensor& target) {
  const std::int64_t width = made.size(1), rows = made.numel() / width,
                     chunks = (rows + kDistanceRows - 1) / kDistanceRows;
  std::vector<double> sums(static_cast<std::size_t>(chunks));
  const at::Tensor columns = at::empty({chunks, width}, bias.options());
  float *to = made.mutable_data_ptr<float>(), *column_sums = columns.mutable_data_ptr<float>();
  const float *from = target.const_data_ptr<float>(), *start = bias.const_data_ptr<float>();
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin) {
      const std::int64_t row = begin * kDistanceRows;
      sums[static_cast<std::size_t>(begin)] =
          subtract_rows({to + row * width, width}, {from + row * width, width}, start,
                        std::min(kDistanceRows, rows - row), width, column_sums + begin * width);
    }
  });
  return {std::accumulate(sums.begin(), sums.end(), 0.0), at::sum(columns, 0)};
}

class SquaredDistance : public torch::autograd::Function<SquaredDistance> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& made,
                            const at::Tensor& bias, const at::Tensor& target) {
    const Distance distance = subtract(made, bias.contiguous(), target);
    ctx->save_for_backward({made.detach(), distance.column_sums});
    return at::full({}, distance.sum, bias.options());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const double factor = 2 * grads[0].item<double>();
    return {saved[0] * factor, saved[1] * factor, {}};
  }
};

bool is_plain(const at::Tensor& map) {
  return map.is_cpu() && map.scalar_type() == at::kFloat && map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

at::Tensor add_bias(const at::Tensor& made, const at::Tensor& bias) {
  if (!is_real(made, 4) || !is_real(bias, 1) || bias.size(0) != made.size(1))
    fail(ExitCode::usage, "add_bias: got a map {}, bias {}; expected (B, C, Y, X), (C)", outline_of(made),
         outline_of(bias));
  return made + bias.view({1, -1, 1, 1});
}

at::Tensor squared_distance(const at::Tensor& made, const at::Tensor& bias, const at::Tensor& target) {
  const bool fits = is_real(made, 4) && is_real(target, 4) && is_real(bias, 1) &&
                    made.sizes() == target.sizes() && bias.size(0) == made.size(1);
  if (!fits)
    fail(ExitCode::usage,
         "squared_distance: got a map {}, bias {}, target {}; expected (B, C, Y, X), (C), (B, C, Y, X)",
         outline_of(made), outline_of(bias), outline_of(target));
  const bool fused =
      is_plain(made) && is_plain(target) && bias.scalar_type() == at::kFloat && made.numel() > 0;
  return fused ? SquaredDistance::apply(made, bias, target)
               : at::sum(at::square(add_bias(made, bias) - target));
}

}  // namespace mgd
