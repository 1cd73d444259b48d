#include "mgd/nn/forward.h"

namespace mgd {

at::Tensor Forward::node(const std::string& name, at::Tensor activation) {
  if (auto it = edits_.find(name); it != edits_.end()) activation = it->second(std::move(activation));
  if (auto it = captured_.find(name); it != captured_.end()) it->second = activation;
  if (observer_) observer_(name, activation);
  return activation;
}

}  // namespace mgd
