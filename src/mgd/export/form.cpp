#include "mgd/export/form.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

void Names::set(std::size_t pass, const at::Tensor& tensor, const std::string& value) {
  seen_[pass][tensor.unsafeGetTensorImpl()] = value;
}

std::string Names::find(std::span<const at::Tensor> tensors) const {
  std::string found;
  for (std::size_t pass = 0; pass < tensors.size(); ++pass) {
    const auto it = seen_[pass].find(tensors[pass].unsafeGetTensorImpl());
    const std::string name = it == seen_[pass].end() ? "" : it->second;
    if (pass > 0 && name != found) throw Varies("what is computed from what");
    found = name;
  }
  return found;
}

const c10::IValue* FormContext::argument(const RecordedOp& op, const std::string& name) const {
  for (const auto& [known, value] : op.arguments)
    if (known == name) return &value;
  return nullptr;
}

bool FormContext::given(const std::string& name) const {
  const c10::IValue* value = argument(*passes_[0], name);
  if (value == nullptr || value->isNone()) return false;
  return !value->isTensor() || value->toTensor().defined();
}

const c10::IValue& FormContext::required(const std::string& name) const {
  const c10::IValue* value = argument(*passes_[0], name);
  MGD_ASSERT(value != nullptr);
  return *value;
}

std::string FormContext::value_of(std::span<const at::Tensor> tensors) {
  if (const std::string known = names_.find(tensors); !known.empty()) return known;
  const at::Tensor& first = tensors[0];
  for (const at::Tensor& other : tensors)
    if (!other.is_same(first) && !(other.sizes() == first.sizes() && at::equal(other, first)))
      throw Varies("a tensor that no recorded operator made");
  std::string name = constant(first);
  for (std::size_t pass = 0; pass < tensors.size(); ++pass) names_.set(pass, tensors[pass], name);
  return name;
}

std::string FormContext::value(const std::string& name) {
  if (!given(name)) return "";
  if (!required(name).isTensor()) return scalar(number(name));
  std::vector<at::Tensor> tensors;
  for (const RecordedOp* op : passes_) tensors.push_back(argument(*op, name)->toTensor());
  return value_of(tensors);
}

std::vector<std::string> FormContext::values(const std::string& name) {
  std::vector<std::vector<at::Tensor>> lists;
  for (const RecordedOp* op : passes_) lists.push_back(argument(*op, name)->toTensorVector());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < lists[0].size(); ++i) {
    std::vector<at::Tensor> tensors;
    for (const auto& list : lists) {
      if (list.size() != lists[0].size()) throw Varies("the length of a list");
      tensors.push_back(list[i]);
    }
    names.push_back(value_of(tensors));
  }
  return names;
}

Ints FormContext::sizes(const std::string& name, std::size_t pass) const {
  return argument(*passes_[pass], name)->toTensor().sizes().vec();
}

Ints FormContext::integers(const std::string& name) const {
  std::optional<Ints> fixed;
  for (const RecordedOp* op : passes_) {
    const c10::IValue& value = *argument(*op, name);
    const Ints now = value.isInt() ? Ints{value.toInt()} : value.toIntVector();
    if (fixed && *fixed != now) throw Varies(name);
    fixed = now;
  }
  return *fixed;
}

std::int64_t FormContext::integer(const std::string& name) const {
  const Ints all = integers(name);
  MGD_ASSERT(all.size() == 1);
  return all[0];
}

double FormContext::number(const std::string& name, double absent) const {
  if (!given(name)) return absent;
  std::optional<double> fixed;
  for (const RecordedOp* op : passes_) {
    const double now = argument(*op, name)->toScalar().toDouble();
    if (fixed && *fixed != now) throw Varies(name);
    fixed = now;
  }
  return *fixed;
}

bool FormContext::flag(const std::string& name) const {
  return given(name) && required(name).toBool();
}

std::string FormContext::text(const std::string& name) const {
  return given(name) ? std::string(required(name).toStringView()) : "";
}

std::int64_t FormContext::axis(const std::string& name, const std::string& of) const {
  const std::int64_t at = integer(name);
  return at < 0 ? at + rank(of) : at;
}

const at::Tensor& FormContext::output(std::size_t pass, std::size_t index) const {
  return passes_[pass]->outputs.at(index);
}

std::string FormContext::constant(const at::Tensor& tensor) {
  if (tensor.numel() > 0 && tensor.is_contiguous())
    if (const auto it = state_.find(tensor.const_data_ptr()); it != state_.end()) {
      const auto [known, added] = graph_.constants.try_emplace(it->second, tensor);
      if (known->second.sizes() == tensor.sizes()) return it->second;
    }
  const std::string name = free_name(graph_, "#constant");
  graph_.constants.emplace(name, tensor.detach());
  return name;
}

std::string FormContext::constant(const Ints& numbers) {
  return constant(at::tensor(numbers, at::kLong));
}

std::string FormContext::scalar(double number) {
  return constant(at::scalar_tensor(number, at::kDouble));
}

std::vector<std::string> FormContext::emit_many(const std::string& op, std::vector<std::string> inputs,
                                                std::size_t outputs, Attributes attributes) {
  OnnxNode node{.op = op, .name = {}, .inputs = std::move(inputs), .outputs = {}, .attributes = {}};
  node.attributes = std::move(attributes);
  for (std::size_t i = 0; i < outputs; ++i)
    node.outputs.push_back("#" + std::to_string(graph_.nodes.size()) + "." + std::to_string(i));
  graph_.nodes.push_back(node);
  return node.outputs;
}

std::string FormContext::emit(const std::string& op, std::vector<std::string> inputs, Attributes attributes) {
  return emit_many(op, std::move(inputs), 1, std::move(attributes))[0];
}

void FormContext::result(const std::string& value, std::size_t index) {
  for (std::size_t pass = 0; pass < passes_.size(); ++pass) names_.set(pass, output(pass, index), value);
}

std::optional<Form> find_form(const std::string& op) {
  const std::string_view plain =
      op.ends_with('_') ? std::string_view(op).substr(0, op.size() - 1) : std::string_view(op);
  for (const auto forms : {layer_forms(), arithmetic_forms(), shape_forms()})
    for (const Form& form : forms)
      if (plain == form.op) return form;
  return std::nullopt;
}

}  // namespace mgd
