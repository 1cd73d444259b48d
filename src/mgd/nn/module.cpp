#include "mgd/nn/module.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

namespace {
// A child without a name stands for its parent: a bare Transformer is the model itself.
std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() || name.empty() ? prefix + name : prefix + "." + name;
}
}  // namespace

template <class Visit>
void Module::visit(const std::string& prefix, const Visit& visit_tensor) const {
  for (const auto& entry : tensors_)
    visit_tensor(NamedTensor{join(prefix, entry->name), entry->tensor, entry->kind});
  for (const auto& [name, child] : children_) child->visit(join(prefix, name), visit_tensor);
}

std::vector<NamedTensor> Module::state() const {
  std::vector<NamedTensor> all;
  visit("", [&](NamedTensor entry) { all.push_back(std::move(entry)); });
  return all;
}

std::vector<NamedTensor> Module::parameters() const {
  std::vector<NamedTensor> all = state();
  std::erase_if(all, [](const NamedTensor& entry) { return entry.kind == TensorKind::buffer; });
  return all;
}

std::vector<NamedTensor> Module::buffers() const {
  std::vector<NamedTensor> all = state();
  std::erase_if(all, [](const NamedTensor& entry) { return entry.kind != TensorKind::buffer; });
  return all;
}

void Module::set_path(const std::string& path) {
  path_ = path;
  for (auto& [name, child] : children_) child->set_path(join(path, name));
}

void Module::set_requires_grad(bool requires_grad) {
  for (auto& entry : tensors_)
    if (entry->kind != TensorKind::buffer) entry->tensor.set_requires_grad(requires_grad);
  for (auto& [name, child] : children_) child->set_requires_grad(requires_grad);
}

void Module::settle_frozen() {
  settle_frozen(false);
}

void Module::settle_frozen(bool above) {
  const auto own = parameters();
  const auto trains = [](const NamedTensor& entry) { return entry.tensor.requires_grad(); };
  frozen_ = own.empty() ? above : std::none_of(own.begin(), own.end(), trains);
  for (auto& [name, child] : children_) child->settle_frozen(frozen_);
}

void Module::for_each(const std::function<void(Module&)>& visit) {
  visit(*this);
  for (auto& [name, child] : children_) child->for_each(visit);
}

Module* Module::find(const std::string& path) {
  if (path == path_) return this;
  for (auto& [name, child] : children_)
    if (Module* found = child->find(path)) return found;
  return nullptr;
}

void Module::to(at::Device device) {
  for (auto& entry : tensors_) {
    const bool requires_grad = entry->tensor.requires_grad();
    entry->tensor = entry->tensor.detach().to(device).set_requires_grad(requires_grad);
  }
  for (auto& [name, child] : children_) child->to(device);
}

void Module::to(at::ScalarType dtype) {
  for (auto& entry : tensors_) {
    if (!entry->tensor.is_floating_point()) continue;
    const bool requires_grad = entry->tensor.requires_grad();
    entry->tensor = entry->tensor.detach().to(dtype).set_requires_grad(requires_grad);
  }
  for (auto& [name, child] : children_) child->to(dtype);
}

void Module::to_channels_last() {
  for (auto& entry : tensors_) {
    if (entry->tensor.dim() != 4) continue;
    const bool requires_grad = entry->tensor.requires_grad();
    entry->tensor =
        entry->tensor.detach().contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(requires_grad);
  }
  for (auto& [name, child] : children_) child->to_channels_last();
}

std::int64_t Module::num_parameters() const {
  std::int64_t total = 0;
  visit("", [&](const NamedTensor& entry) {
    total += entry.kind == TensorKind::buffer ? 0 : entry.tensor.numel();
  });
  return total;
}

at::Tensor& Module::add_parameter(const std::string& name, at::Tensor value, TensorKind kind) {
  MGD_ASSERT(kind != TensorKind::buffer);
  value.set_requires_grad(true);
  tensors_.push_back(std::make_unique<NamedTensor>(NamedTensor{name, std::move(value), kind}));
  return tensors_.back()->tensor;
}

at::Tensor& Module::add_buffer(const std::string& name, at::Tensor value) {
  tensors_.push_back(std::make_unique<NamedTensor>(NamedTensor{name, std::move(value), TensorKind::buffer}));
  return tensors_.back()->tensor;
}

}  // namespace mgd
