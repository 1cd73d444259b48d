// A record of what LibTorch computed in one pass: its operators, in order, with arguments and results.
//
// The record is taken by LibTorch's own observer of operator calls (at::RecordFunction), so nothing in a
// model knows of it. What a model computes by other means than LibTorch's operators is not seen; such results
// appear as what made their memory (aten::empty), which has no form elsewhere and is refused by that.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mgd/nn/forward.h"

namespace mgd {

struct RecordedOp {
  std::string name;                                            // "aten::add", without its overload
  std::vector<std::pair<std::string, c10::IValue>> arguments;  // by the names of the operator's schema
  std::vector<at::Tensor> outputs;
};

// The model's own name of a tensor, given at this point of the pass.
struct RecordedNode {
  std::string name;
  at::Tensor tensor;
};

struct RecordedStep {
  RecordedOp op;      // with a name, or
  RecordedNode node;  // with a name
};

using NamedTensors = std::map<std::string, at::Tensor>;

struct OperatorRecord {
  NamedTensors inputs, outputs;
  std::vector<RecordedStep>
      steps;  // its tensors live as long as the record, so their addresses tell them apart
};

// What is recorded: inputs by name, and the pass that makes outputs of them.
struct Pass {
  NamedTensors inputs;
  std::function<NamedTensors(const NamedTensors& inputs, Forward& forward)> run;
};

// Runs the pass without gradient, in evaluation, while everybody looks at every node, so that each is made.
// Operators call others: the outermost that `is_known` is recorded, and below one that is not, what it calls;
// when some of that is not known either, the outer one is recorded by its name.
OperatorRecord record_pass(const Pass& pass, const std::function<bool(const std::string& op)>& is_known);

}  // namespace mgd
