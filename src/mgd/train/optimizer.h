// SGD and AdamW over named parameters, one fused multi-tensor call a group and step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/nn/module.h"

namespace mgd {

struct OptimizerOptions {
  std::string name = "sgd";                       // sgd | adamw
  double momentum = 0.9;                          // sgd
  bool nesterov = false;                          // sgd
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // adamw
  double weight_decay = 0;  // sgd: added to the gradient (L2); adamw: decoupled (Loshchilov & Hutter 2019)
  bool decay_norm_bias = true;
  std::map<std::string, double> lr_scale = {};  // factor of the rate by name of a parameter; not there: 1
};

class Optimizer {
 public:
  // Throws std::logic_error when a parameter occurs twice: each trains in exactly one group.
  Optimizer(std::vector<NamedTensor> parameters, OptimizerOptions options);

  void zero_grad();
  void step(double lr);  // a parameter that received no gradient counts as gradient 0

  // The 2-norm of all gradients together; with max_norm > 0 they are scaled down to it. inf and NaN are
  // returned as they are.
  double clip_grad_norm(double max_norm);

  std::map<std::string, at::Tensor> state() const;  // shares storage with the optimizer
  void load_state(const std::map<std::string, at::Tensor>& state);

 private:
  struct Group {
    std::vector<std::string> names;
    std::vector<at::Tensor> parameters, first, second,
        steps;  // momentum or first moment; second moment; step counts
    double weight_decay = 0, lr_scale = 1;
  };
  void add_group(const std::vector<NamedTensor>& parameters, double weight_decay, double lr_scale);
  static std::vector<at::Tensor> gradients(const Group& group);

  OptimizerOptions options_;
  std::vector<Group> groups_;
};

}  // namespace mgd
