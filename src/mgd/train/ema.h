// Exponential moving average of a module's weights and buffers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/nn/module.h"

namespace mgd {

class Ema {
 public:
  Ema(const Module& module, double decay);

  // shadow += (1 - d) (value - shadow) with d = min(decay, (1 + step) / (10 + step)): early on, when the
  // weights are still random, the average must not remember them. Integer buffers are copied.
  void update(std::int64_t step);

  // Exchanges the module's values with the averaged ones; a second call exchanges them back.
  void swap();

  std::map<std::string, at::Tensor> state() const;
  void load_state(const std::map<std::string, at::Tensor>& state);

 private:
  double decay_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> values_, shadow_;  // float tensors
  std::vector<std::string> integer_names_;
  std::vector<at::Tensor> integer_values_, integer_shadow_;
};

}  // namespace mgd
