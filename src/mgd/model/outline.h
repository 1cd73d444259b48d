// The names and shapes of an architecture's tensors, without their values: a thousandth of the time that
// making the model takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mgd/model/image_model.h"

namespace mgd {

struct TensorOutline {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorKind kind = TensorKind::weight;
};

// In the order of definition, as Module::state gives them.
using Outline = std::vector<TensorOutline>;

// Whose names: the architecture's own, or those of the other library that has it.
enum class Naming { own, other };

// Throws Error(usage) as make_model; nothing where no other library has this architecture. Tensor i of both
// outlines is the same tensor; its shapes differ in sides of 1 at most, or a matrix stands for a convolution.
std::optional<Outline> outline_of(const ModelSpec& spec, Naming naming = Naming::own);

}  // namespace mgd
