#include "mgd/nn/forward.h"

#include "mgd/core/error.h"

namespace mgd {

at::Tensor Forward::node(const std::string& name, at::Tensor activation) {
  if (auto it = edits_.find(name); it != edits_.end()) activation = it->second(std::move(activation));
  if (auto it = captured_.find(name); it != captured_.end()) it->second = activation;
  if (observer_) observer_(name, activation);
  return activation;
}

std::vector<std::string> Forward::not_passed() const {
  std::vector<std::string> names;
  for (const auto& [name, activation] : captured_)
    if (!activation.defined()) names.push_back(name);
  return names;
}

const std::map<std::string, at::Tensor>& Forward::captured() const {
  if (const auto missing = not_passed(); !missing.empty())
    fail(ExitCode::usage, "tap '{}': no node of this name was passed", missing.front());
  return captured_;
}

}  // namespace mgd
