#include "mgd/eval/probe.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/square.h>
#include <ATen/ops/std.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/optim/lbfgs.h>

#include <algorithm>
#include <limits>

#include "mgd/core/error.h"

namespace mgd {

namespace {

at::Tensor units_of(const at::Tensor& rows) {
  const at::Tensor exact = rows.to(at::kFloat);
  return exact / at::linalg_vector_norm(exact, 2, at::IntArrayRef{1}, true).clamp_min(1e-12);
}

void check(const at::Tensor& rows, const at::Tensor& labels, std::int64_t num_classes) {
  if (rows.dim() != 2 || labels.dim() != 1 || rows.size(0) != labels.size(0))
    fail(ExitCode::usage, "probe: expected features (N, F) and N labels");
  if (labels.numel() > 0 &&
      (labels.min().item<std::int64_t>() < 0 || labels.max().item<std::int64_t>() >= num_classes))
    fail(ExitCode::usage, "probe: a label is not among the {} classes", num_classes);
}

}  // namespace

Standardiser::Standardiser(const at::Tensor& of) {
  const at::Tensor exact = of.to(at::kDouble);
  mean_ = exact.mean(0, true);
  const at::Tensor deviation = at::std(exact, at::IntArrayRef{0}, /*unbiased=*/false, /*keepdim=*/true);
  scale_ = at::where(deviation > 0, 1 / deviation, at::zeros_like(deviation));
}

at::Tensor Standardiser::operator()(const at::Tensor& rows) const {
  return (rows.to(at::kDouble) - mean_) * scale_;
}

LinearProbe fit_linear(const at::Tensor& rows, const at::Tensor& labels, std::int64_t num_classes,
                       double l2) {
  check(rows, labels, num_classes);
  if (!(l2 > 0) || num_classes < 2 || rows.size(0) == 0)
    fail(ExitCode::usage, "probe: got l2 {}, {} classes and {} rows; expected above 0, two and one at least",
         l2, num_classes, rows.size(0));
  const at::AutoGradMode with_gradient(true);
  const at::Tensor exact = rows.detach().to(at::kDouble);
  const at::TensorOptions numbers = exact.options();
  LinearProbe probe{.weight = at::zeros({num_classes, rows.size(1)}, numbers).set_requires_grad(true),
                    .bias = at::zeros({num_classes}, numbers).set_requires_grad(true)};
  constexpr std::int64_t kIterations = 500;
  torch::optim::LBFGS optimizer({probe.weight, probe.bias}, torch::optim::LBFGSOptions(1)
                                                                .max_iter(kIterations)
                                                                .max_eval(4 * kIterations)
                                                                .tolerance_grad(1e-6)
                                                                .tolerance_change(1e-12)
                                                                .history_size(20)
                                                                .line_search_fn("strong_wolfe"));
  optimizer.step([&] {
    optimizer.zero_grad();
    const at::Tensor loss = at::cross_entropy_loss(at::linear(exact, probe.weight, probe.bias), labels) +
                            l2 / 2 * at::sum(at::square(probe.weight));
    loss.backward();
    return loss;
  });
  return {.weight = probe.weight.detach(), .bias = probe.bias.detach()};
}

double accuracy_of(const LinearProbe& probe, const at::Tensor& rows, const at::Tensor& labels) {
  if (rows.size(0) == 0) return std::numeric_limits<double>::quiet_NaN();
  const at::Tensor answers = at::linear(rows.to(at::kDouble), probe.weight, probe.bias).argmax(1);
  return answers.eq(labels).to(at::kDouble).mean().item<double>();
}

double neighbours_accuracy(const LabelledFeatures& known, const LabelledFeatures& queries,
                           std::int64_t num_classes, std::int64_t k) {
  check(known.rows, known.labels, num_classes);
  check(queries.rows, queries.labels, num_classes);
  if (k < 1 || known.rows.size(0) == 0)
    fail(ExitCode::usage, "probe: got {} neighbours of {} rows, expected one at least", k,
         known.rows.size(0));
  if (queries.rows.size(0) == 0) return std::numeric_limits<double>::quiet_NaN();
  constexpr double kTemperature = 0.07;
  constexpr std::int64_t kTile = 256;
  const at::Tensor units = units_of(known.rows);
  std::int64_t right = 0;
  for (std::int64_t first = 0; first < queries.rows.size(0); first += kTile) {
    const std::int64_t count = std::min(kTile, queries.rows.size(0) - first);
    const at::Tensor cosines = at::mm(units_of(queries.rows.narrow(0, first, count)), units.t());
    const auto [nearest, places] = at::topk(cosines, std::min(k, units.size(0)), 1);
    const at::Tensor votes =
        at::zeros({count, num_classes}, at::kFloat)
            .scatter_add(1, known.labels.index_select(0, places.flatten()).view_as(places),
                         at::exp(nearest / kTemperature));
    right += votes.argmax(1).eq(queries.labels.narrow(0, first, count)).sum().item<std::int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(queries.rows.size(0));
}

}  // namespace mgd
