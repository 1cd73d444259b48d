// What batch norms had counted before a step.
#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_copy.h>

#include <span>
#include <vector>

#include "mgd/nn/module.h"

namespace mgd {

// The statistics that a forward pass moves. A step that is not applied must not leave its traces there.
class BufferSnapshot {
 public:
  explicit BufferSnapshot(const std::vector<NamedTensor>& buffers) {
    for (const auto& entry : buffers) {
      live_.push_back(entry.tensor);
      saved_.push_back(entry.tensor.clone());
    }
  }
  void take() { copy(saved_, live_); }
  void restore() { copy(live_, saved_); }
  std::span<at::Tensor> live() { return live_; }

 private:
  static void copy(std::vector<at::Tensor>& to, const std::vector<at::Tensor>& from) {
    at::NoGradGuard no_grad;
    if (!to.empty()) at::_foreach_copy_(to, from);
  }
  std::vector<at::Tensor> live_, saved_;
};

}  // namespace mgd
