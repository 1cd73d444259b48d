#include "mgd/train/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <set>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// The same values, in the order in which they lie in memory: LibTorch's fused steps copy what is not
// contiguous, there and back, and a convolution's weights are channels-last.
std::vector<at::Tensor> flat(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> rows;
  for (const at::Tensor& t : tensors)
    rows.push_back(t.is_contiguous() || !t.is_non_overlapping_and_dense() ? t
                                                                          : t.as_strided({t.numel()}, {1}));
  return rows;
}

// In the layout of the parameter, which may have changed since.
at::Tensor laid_out(const at::Tensor& values, const at::Tensor& parameter) {
  const bool same =
      values.strides() == parameter.strides() ||
      (values.is_contiguous() && parameter.is_contiguous());  // strides of sizes of 1 may differ
  return same ? values : at::empty_like(parameter).copy_(values);
}

}  // namespace

Optimizer::Optimizer(std::vector<NamedTensor> parameters, OptimizerOptions options)
    : options_(std::move(options)) {
  std::set<void*> seen;
  // One group for each rate and decay; those that decay come first.
  std::map<std::pair<bool, double>, std::vector<NamedTensor>> groups;
  for (auto& parameter : parameters) {
    if (!seen.insert(parameter.tensor.unsafeGetTensorImpl()).second)
      throw std::logic_error("parameter '" + parameter.name + "' is in the optimizer twice");
    const bool decay = options_.decay_norm_bias || parameter.kind == TensorKind::weight;
    const auto scale = options_.lr_scale.find(parameter.name);
    groups[{!decay, scale == options_.lr_scale.end() ? 1.0 : scale->second}].push_back(parameter);
  }
  for (const auto& [key, members] : groups)
    add_group(members, key.first ? 0.0 : options_.weight_decay, key.second);
}

void Optimizer::add_group(const std::vector<NamedTensor>& parameters, double weight_decay, double lr_scale) {
  Group group;
  group.weight_decay = weight_decay;
  group.lr_scale = lr_scale;
  for (const auto& parameter : parameters) {
    group.names.push_back(parameter.name);
    group.parameters.push_back(parameter.tensor);
    group.first.push_back(at::zeros_like(parameter.tensor).detach());
    if (options_.name == "adamw") {
      group.second.push_back(at::zeros_like(parameter.tensor).detach());
      group.steps.push_back(at::zeros({}, parameter.tensor.options().dtype(at::kFloat)).detach());
    }
  }
  groups_.push_back(std::move(group));
}

std::vector<at::Tensor> Optimizer::gradients(const Group& group) {
  std::vector<at::Tensor> all;
  for (const auto& parameter : group.parameters)
    all.push_back(parameter.grad().defined() ? laid_out(parameter.grad(), parameter)
                                             : at::zeros_like(parameter));
  return all;
}

void Optimizer::zero_grad() {
  for (auto& group : groups_)
    for (auto& parameter : group.parameters) parameter.mutable_grad().reset();
}

void Optimizer::step(double base_lr) {
  at::NoGradGuard no_grad;
  for (auto& group : groups_) {
    const double lr = base_lr * group.lr_scale;
    for (auto* state : {&group.first, &group.second})
      for (std::size_t i = 0; i < state->size(); ++i)
        (*state)[i] = laid_out((*state)[i], group.parameters[i]);
    const auto parameters = flat(group.parameters), grads = flat(gradients(group)), first = flat(group.first);
    if (options_.name == "adamw") {
      at::_foreach_add_(group.steps, 1);
      at::_fused_adamw_(parameters, grads, first, flat(group.second), {}, group.steps, lr, options_.beta1,
                        options_.beta2, group.weight_decay, options_.eps, /*amsgrad=*/false,
                        /*maximize=*/false);
    } else {
      // Buffers start at zero, so with dampening 0 the first step needs no special case.
      const auto momenta = options_.momentum > 0 ? at::TensorList(first) : at::TensorList();
      at::_fused_sgd_(parameters, grads, momenta, group.weight_decay, options_.momentum, lr,
                      /*dampening=*/0.0, options_.nesterov, /*maximize=*/false, /*is_first_step=*/false);
    }
  }
}

double Optimizer::clip_grad_norm(double max_norm) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> grads, norms;
  for (const auto& group : groups_)
    for (const auto& parameter : group.parameters)
      if (parameter.grad().defined()) grads.push_back(parameter.grad());
  if (grads.empty()) return 0.0;
  const double norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, 2))).item<double>();
  if (max_norm > 0 && norm > max_norm) at::_foreach_mul_(grads, max_norm / norm);
  return norm;
}

std::map<std::string, at::Tensor> Optimizer::state() const {
  std::map<std::string, at::Tensor> all;
  for (const auto& group : groups_) {
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      const std::string& name = group.names[i];
      if (options_.name == "adamw") {
        all["exp_avg/" + name] = group.first[i];
        all["exp_avg_sq/" + name] = group.second[i];
        all["step/" + name] = group.steps[i];
      } else {
        all["momentum/" + name] = group.first[i];
      }
    }
  }
  return all;
}

void Optimizer::load_state(const std::map<std::string, at::Tensor>& stored) {
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : state()) {
    const auto it = stored.find(name);
    if (it == stored.end() || it->second.sizes() != tensor.sizes())
      fail(ExitCode::bad_data, "checkpoint: optimizer state '{}' is missing or has another shape", name);
    tensor.copy_(it->second);
  }
}

}  // namespace mgd
