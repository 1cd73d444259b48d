#include "mgd/train/ema.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_lerp.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

Ema::Ema(const Module& module, double decay) : decay_(decay) {
  for (auto& entry : module.state()) {
    const bool is_float = entry.tensor.is_floating_point();
    (is_float ? names_ : integer_names_).push_back(entry.name);
    (is_float ? values_ : integer_values_).push_back(entry.tensor.detach());
    (is_float ? shadow_ : integer_shadow_).push_back(entry.tensor.detach().clone());
  }
}

void Ema::update(std::int64_t step) {
  at::NoGradGuard no_grad;
  const double decay =
      std::min(decay_, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
  at::_foreach_lerp_(shadow_, values_, 1.0 - decay);
  for (std::size_t i = 0; i < integer_values_.size(); ++i) integer_shadow_[i].copy_(integer_values_[i]);
}

void Ema::swap() {
  at::NoGradGuard no_grad;
  auto exchange = [](at::Tensor& a, at::Tensor& b) {
    const at::Tensor saved = a.clone();
    a.copy_(b);
    b.copy_(saved);
  };
  for (std::size_t i = 0; i < values_.size(); ++i) exchange(values_[i], shadow_[i]);
  for (std::size_t i = 0; i < integer_values_.size(); ++i) exchange(integer_values_[i], integer_shadow_[i]);
}

std::map<std::string, at::Tensor> Ema::state() const {
  std::map<std::string, at::Tensor> all;
  for (std::size_t i = 0; i < names_.size(); ++i) all[names_[i]] = shadow_[i];
  for (std::size_t i = 0; i < integer_names_.size(); ++i) all[integer_names_[i]] = integer_shadow_[i];
  return all;
}

void Ema::load_state(const std::map<std::string, at::Tensor>& stored) {
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : state()) {
    const auto it = stored.find(name);
    if (it == stored.end() || it->second.sizes() != tensor.sizes())
      fail(ExitCode::bad_data, "checkpoint: averaged weight '{}' is missing or has another shape", name);
    tensor.copy_(it->second);
  }
}

}  // namespace mgd
