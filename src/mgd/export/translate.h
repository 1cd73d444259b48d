// From records of one model to its graph.
#pragma once

#include "mgd/export/graph.h"
#include "mgd/export/record.h"
#include "mgd/nn/module.h"

namespace mgd {

// Dimensions of an input or output by value name; the k-th name stands for what differs between the first
// pass and others at the k-th dimension.
using FreeDims = std::map<std::string, std::vector<std::string>>;

// Whether an operator of LibTorch can be said in ONNX.
bool has_form(const std::string& op);

// `records` are of the same pass over inputs of several sizes. Constants are the module's own tensors, by
// their names; values are named by the model's nodes, the last name a tensor was given. Where a size differs
// between the records the dimension of an input or output is free. Throws Error(usage) for an operator
// without a form, by name and by the node before it, and Varies (export/form.h) for a number that would have
// to be fixed and is not.
Graph translate(const std::vector<OperatorRecord>& records, const Module& module, const FreeDims& free_dims);

}  // namespace mgd
