#include "mgd/export/translate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "mgd/core/error.h"
#include "mgd/export/form.h"

namespace mgd {

namespace {

class Translation {
 public:
  Translation(const std::vector<OperatorRecord>& records, const Module& module)
      : records_(records), names_(records.size()) {
    for (const auto& entry : module.state())
      if (entry.tensor.numel() > 0) state_.emplace(entry.tensor.const_data_ptr(), entry.name);
  }

  Graph graph(const FreeDims& free_dims) {
    for (const auto& [name, tensor] : records_[0].inputs) {
      for (std::size_t pass = 0; pass < records_.size(); ++pass)
        names_.set(pass, records_[pass].inputs.at(name), name);
      graph_.inputs.push_back(border(name, &OperatorRecord::inputs, free_dims));
    }
    for (std::size_t i = 0; i < records_[0].steps.size(); ++i) step(i);
    finish(free_dims);
    return std::move(graph_);
  }

 private:
  void step(std::size_t i) {
    std::vector<const RecordedOp*> passes;
    std::vector<at::Tensor> tensors;
    for (const OperatorRecord& record : records_) {
      if (record.steps.size() <= i || record.steps[i].op.name != records_[0].steps[i].op.name)
        throw Varies("the operators of the pass");
      passes.push_back(&record.steps[i].op);
      tensors.push_back(record.steps[i].node.tensor);
    }
    if (const std::string& node = records_[0].steps[i].node.name; !node.empty()) {
      last_node_ = node;
      if (const std::string value = names_.find(tensors); !value.empty()) wishes_[value] = node;
      return;
    }
    if (const auto form = find_form(passes[0]->name)) {
      refuse_shared_memory(*passes[0]);
      FormContext context(graph_, names_, state_, passes);
      form->write(context);
      return;
    }
    // Only an error when an output depends on it: the model may look at something on its way.
    const std::string value = "#unknown" + std::to_string(i);
    unknown_[value] = fmt::format("{} (after node '{}')", passes[0]->name, last_node_);
    for (std::size_t pass = 0; pass < passes.size(); ++pass)
      for (const at::Tensor& output : passes[pass]->outputs) names_.set(pass, output, value);
  }

  // An operator in place gives its tensor a new value; another tensor over the same memory would keep the old
  // one here and have the new one in truth.
  void refuse_shared_memory(const RecordedOp& op) {
    for (const at::Tensor& output : op.outputs) {
      if (!output.has_storage()) continue;
      auto& owners = memory_[output.storage().unsafeGetStorageImpl()];
      owners.insert(output.unsafeGetTensorImpl());
      if (op.name.ends_with('_') && owners.size() > 1)
        fail(ExitCode::usage, "export: {} (after node '{}') writes into memory that another tensor sees too",
             op.name, last_node_);
    }
  }

  OnnxValue border(const std::string& name, NamedTensors OperatorRecord::*where,
                   const FreeDims& free_dims) const {
    const at::Tensor& first = (records_[0].*where).at(name);
    OnnxValue value{.name = name,
                    .type = first.scalar_type() == at::kLong ? OnnxType::int64 : OnnxType::float32,
                    .dims = {}};
    for (std::int64_t d = 0; d < first.dim(); ++d) {
      bool fixed = true;
      for (const OperatorRecord& record : records_)
        fixed = fixed && (record.*where).at(name).size(d) == first.size(d);
      if (fixed)
        value.dims.emplace_back(first.size(d));
      else
        value.dims.emplace_back(free_dims.at(name).at(static_cast<std::size_t>(d)));
    }
    return value;
  }

  void finish(const FreeDims& free_dims) {
    std::map<std::string, std::string> renamed;
    for (const auto& [name, tensor] : records_[0].outputs) {
      std::vector<at::Tensor> tensors;
      for (const OperatorRecord& record : records_) tensors.push_back(record.outputs.at(name));
      const std::string value = names_.find(tensors);
      if (value.empty())
        fail(ExitCode::usage, "export: the output '{}' is made by no operator that was recorded", name);
      graph_.outputs.push_back(border(name, &OperatorRecord::outputs, free_dims));
      graph_.outputs.back().name = value;
      renamed[value] = name;
    }
    drop_unused(graph_);
    refuse_unknown();
    name_values(std::move(renamed));
  }

  void refuse_unknown() const {
    std::set<std::string> missing;
    const auto look = [&](const std::string& value) {
      if (const auto it = unknown_.find(value); it != unknown_.end()) missing.insert(it->second);
    };
    for (const auto& node : graph_.nodes) std::for_each(node.inputs.begin(), node.inputs.end(), look);
    for (const auto& output : graph_.outputs) look(output.name);
    if (!missing.empty())
      fail(ExitCode::usage, "export: no form in ONNX is known for {}", fmt::join(missing, ", "));
  }

  // From behind: what has no name of its own is called by the value that is made of it.
  void name_values(std::map<std::string, std::string> names) {
    std::set<std::string> taken;
    for (const auto& value : graph_.inputs) taken.insert(value.name);
    for (const auto& [name, tensor] : graph_.constants) taken.insert(name);
    for (const auto& [value, name] : names) taken.insert(name);
    const auto unique = [&](const std::string& wish) {
      std::string name = wish;
      for (int n = 2; !taken.insert(name).second; ++n) name = wish + "_" + std::to_string(n);
      return name;
    };
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      for (const auto& output : node->outputs) {
        if (names.contains(output)) continue;
        const auto wish = wishes_.find(output);
        names[output] =
            unique(wish != wishes_.end() ? wish->second : reader_of(output, names) + "/" + node->op);
      }
    }
    for (const auto& node : graph_.nodes)
      for (const auto& input : node.inputs)
        if (input.starts_with("#constant") && !names.contains(input))
          names[input] = unique(names.at(node.outputs[0]) + "/constant");
    rename_values(graph_, names);
  }

  std::string reader_of(const std::string& value, const std::map<std::string, std::string>& names) const {
    for (const auto& node : graph_.nodes)
      if (std::find(node.inputs.begin(), node.inputs.end(), value) != node.inputs.end())
        return names.at(node.outputs[0]);
    return "unused";
  }

  const std::vector<OperatorRecord>& records_;
  Graph graph_;
  Names names_;
  std::map<const void*, std::string> state_;             // the module's tensors by their memory
  std::map<std::string, std::string> wishes_;            // value -> the model's name for it
  std::map<std::string, std::string> unknown_;           // value -> operator without a form
  std::map<const void*, std::set<const void*>> memory_;  // storage -> tensors over it
  std::string last_node_ = "input";
};

}  // namespace

bool has_form(const std::string& op) {
  return find_form(op).has_value();
}

Graph translate(const std::vector<OperatorRecord>& records, const Module& module, const FreeDims& free_dims) {
  MGD_ASSERT(!records.empty());
  return Translation(records, module).graph(free_dims);
}

}  // namespace mgd
