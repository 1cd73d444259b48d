#include "mgd/ops/softmax_kl.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/kernels/softmax_kl.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

class SoftmaxKl : public torch::autograd::Function<SoftmaxKl> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& student,
                            const at::Tensor& teacher, double temperature, bool need_gradient) {
    const std::int64_t rows = student.size(0), width = student.size(1);
    const at::Tensor grad =
        need_gradient ? at::empty_like(student, at::MemoryFormat::Contiguous) : at::Tensor();
    std::vector<double> sums(static_cast<std::size_t>(rows));
    const float *from = student.const_data_ptr<float>(), *given = teacher.const_data_ptr<float>();
    float* to = need_gradient ? grad.mutable_data_ptr<float>() : nullptr;
    const SoftmaxKlKernel kernel = softmax_kl_kernel(chosen_isa());
    const std::int64_t rows_a_task = std::max<std::int64_t>(1, (std::int64_t{1} << 14) / width);
    at::parallel_for(0, rows, rows_a_task, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> scratch(static_cast<std::size_t>(need_gradient ? width : 0));
      for (std::int64_t i = begin; i < end; ++i)
        sums[static_cast<std::size_t>(i)] =
            kernel.row({.student = from + i * width,
                        .teacher = given + i * width,
                        .width = width,
                        .inverse_temperature = static_cast<float>(1 / temperature),
                        .grad = need_gradient ? to + i * width : nullptr,
                        .grad_factor = temperature,  // T^2, and 1 / T of the inner derivative
                        .scratch = scratch.data()});
    });
    if (need_gradient) ctx->save_for_backward({grad});
    return at::full({}, temperature * temperature * std::accumulate(sums.begin(), sums.end(), 0.0),
                    student.options());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    return {ctx->get_saved_variables()[0] * grads[0], {}, {}, {}};
  }
};

bool is_plain(const at::Tensor& logits) {
  return logits.is_cpu() && logits.scalar_type() == at::kFloat && logits.numel() > 0;
}

}  // namespace

at::Tensor softmax_kl(const at::Tensor& student, const at::Tensor& teacher, double temperature) {
  if (!is_real(student, 2) || !is_real(teacher, 2) || student.sizes() != teacher.sizes())
    fail(ExitCode::usage, "softmax_kl: got student {}, teacher {}; expected (N, K) of both",
         outline_of(student), outline_of(teacher));
  if (!(temperature > 0) || !std::isfinite(temperature))
    fail(ExitCode::usage, "softmax_kl: temperature: got {}, expected above 0", temperature);
  if (is_plain(student) && is_plain(teacher))
    return SoftmaxKl::apply(student.contiguous(), teacher.detach().contiguous(), temperature,
                            at::GradMode::is_enabled() && student.requires_grad());
  const at::Tensor log_student = at::log_softmax(student / temperature, -1);
  const at::Tensor log_teacher = at::log_softmax(teacher.detach() / temperature, -1);
  return at::sum(at::exp(log_teacher) * (log_teacher - log_student)) * (temperature * temperature);
}

}  // namespace mgd
