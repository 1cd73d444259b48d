// What tests of layers share.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "mgd/core/philox.h"
#include "mgd/nn/module.h"

namespace mgd {

inline RandomStream stream() {
  return RandomStream(random_key(11, "layers"), 0, 0);
}

inline at::Tensor tensor_of(const Module& module, const std::string& name) {
  for (const NamedTensor& entry : module.state())
    if (entry.name == name) return entry.tensor.detach();
  ADD_FAILURE() << name;
  return {};
}

}  // namespace mgd
